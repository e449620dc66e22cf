//! One call in one instance: it is made, given a batch, asked for the result, and dropped.

use arrow::array::ArrayRef;
use tidemill_functions::{ALLOC, INITIALIZE, MEMORY, Type};
use wasmtime::{Config, Engine, InstancePre, Linker, ResourceLimiter, Store};

use crate::fault::Fault;
use crate::limits;
use crate::read::Batch;
use crate::write::Block;

/// The compiler and what all modules of a process share. Code is compiled so that calls give the same everywhere and
/// can be stopped.
pub fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .max_wasm_stack(limits::STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        .wasm_backtrace_max_frames(None);
    Engine::new(&config)
}

/// Compiles a module so that instances are made fast.
pub fn compiled(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<InstancePre<Limits>> {
    Linker::new(engine).instantiate_pre(&wasmtime::Module::new(engine, bytes)?)
}

/// Keeps an instance's memory small.
#[derive(Debug, Default)]
pub struct Limits {
    denied_memory: bool,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= limits::MEMORY_BYTES;
        self.denied_memory |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS)
    }
}

/// A batch of arguments.
pub struct Arguments<'a> {
    pub columns: &'a [ArrayRef],
    pub types: &'a [Type],
    pub rows: usize,
}

/// Calls the function of this export. `take` reads the result.
pub fn call<T>(
    module: &InstancePre<Limits>,
    export: &str,
    arguments: &Arguments<'_>,
    take: impl FnOnce(Batch<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut store = Store::new(module.module().engine(), Limits::default());
    store.limiter(|limits| limits);
    let block = Block::new(arguments.columns, arguments.types, arguments.rows);
    let address = match run(&mut store, module, export, block, arguments.rows) {
        Ok(called) => called?,
        Err(error) => return Err(Fault::of(&error, store.data().denied_memory)),
    };
    let memory = address.memory.data(&store);
    take(Batch::at(memory, address.result)?)
}

struct Called {
    memory: wasmtime::Memory,
    result: u32,
}

fn run(
    store: &mut Store<Limits>,
    module: &InstancePre<Limits>,
    export: &str,
    block: Block,
    rows: usize,
) -> wasmtime::Result<Result<Called, Fault>> {
    store.set_fuel(limits::fuel(rows))?;
    let instance = module.instantiate(&mut *store)?;
    if instance.get_func(&mut *store, INITIALIZE).is_some() {
        instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE)?.call(&mut *store, ())?;
    }
    let size = block.len();
    let alloc = instance.get_typed_func::<u32, u32>(&mut *store, ALLOC)?;
    let place = alloc.call(&mut *store, u32::try_from(size)?)?;
    let Some(memory) = instance.get_memory(&mut *store, MEMORY) else {
        return Ok(Err(Fault::Outside("its result")));
    };
    let end = place as usize + size;
    let Some(there) = memory.data_mut(&mut *store).get_mut(place as usize..end).filter(|_| place != 0) else {
        return Ok(Err(Fault::NoPlace(size)));
    };
    there.copy_from_slice(&block.at(place));
    let result = instance.get_typed_func::<u32, u32>(&mut *store, export)?.call(&mut *store, place)?;
    Ok(Ok(Called { memory, result }))
}
