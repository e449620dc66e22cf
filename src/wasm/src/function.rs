//! Modules and their functions, as the engine calls them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::error::ArrowError;
use tidemill_engine::function::Returned;
use tidemill_functions::{Returns, Signature, Type};
use tidemill_model::status::Problem;
use wasmtime::InstancePre;

use crate::fault::{Fault, unknown, unusable};
use crate::instance::{self, Arguments, Limits};
use crate::limits::{CALL_BYTES, CALL_ROWS};
use crate::read::Batch;

/// The compiled modules of a job, by their digests.
#[derive(Default)]
pub struct Functions {
    modules: BTreeMap<String, InstancePre<Limits>>,
}

/// A function that can be called from any thread.
#[derive(Clone)]
pub struct Function {
    module: InstancePre<Limits>,
    export: String,
    parameters: Vec<Type>,
    columns: Vec<Type>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scalar,
    Table,
}

impl Functions {
    /// Checks and compiles modules. They come by their digests, which are compared.
    pub fn load<'a>(modules: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, Problem> {
        let mut functions = Self::default();
        let mut engine = None;
        for (digest, bytes) in modules {
            let module = tidemill_functions::Module::read(bytes).map_err(|error| unusable(digest, error))?;
            if module.digest != digest {
                return Err(unusable(digest, format!("its bytes have the digest {}", module.digest)));
            }
            let engine = match &engine {
                Some(engine) => engine,
                None => engine.insert(instance::engine().map_err(|error| unusable(digest, error))?),
            };
            let compiled = instance::compiled(engine, bytes).map_err(|error| unusable(digest, format!("{error:#}")))?;
            functions.modules.insert(digest.to_string(), compiled);
        }
        Ok(functions)
    }

    /// The function that the module with this digest exports under this name.
    pub fn function(&self, digest: &str, export: &str) -> Result<Function, Problem> {
        let module = self.modules.get(digest).ok_or_else(|| unusable(digest, "it did not come with the job"))?;
        if module.module().get_export(export).is_none() {
            return Err(unknown(export, "its module does not export it"));
        }
        let Signature { name: _, parameters, returns } =
            Signature::parse(export).map_err(|error| unknown(export, error))?;
        let (kind, columns) = match returns {
            Returns::Value(of) => (Kind::Scalar, vec![of]),
            Returns::Table(columns) => (Kind::Table, columns.iter().map(|column| column.of).collect()),
        };
        Ok(Function { module: module.clone(), export: export.to_string(), parameters, columns, kind })
    }
}

impl Function {
    /// Calls the function on a batch of `rows` rows. Columns of other types than the signature's are a fault of ours.
    pub fn called(&self, arguments: &[ArrayRef], rows: usize) -> Result<Returned, Problem> {
        let types = arguments.iter().map(|column| column.data_type().clone());
        if !types.eq(self.parameters.iter().map(|of| of.data_type())) || arguments.iter().any(|of| of.len() != rows) {
            return Err(unknown(&self.export, "it is called with other arguments than it takes"));
        }
        let mut parts = Vec::new();
        let mut start = 0;
        while start < rows || parts.is_empty() {
            let range = start..start + rows_of_a_call(arguments, start, rows);
            parts.push(self.call_once(arguments, &range).map_err(|fault| fault.problem(&self.export, &range))?);
            start = range.end;
        }
        joined(parts).map_err(|_| Fault::TooMuch.problem(&self.export, &(0..rows)))
    }

    fn call_once(&self, arguments: &[ArrayRef], range: &Range<usize>) -> Result<Returned, Fault> {
        let columns: Vec<ArrayRef> = arguments.iter().map(|column| column.slice(range.start, range.len())).collect();
        let arguments = Arguments { columns: &columns, types: &self.parameters, rows: range.len() };
        instance::call(&self.module, &self.export, &arguments, |batch| self.taken(&batch, range))
    }

    fn taken(&self, batch: &Batch<'_>, range: &Range<usize>) -> Result<Returned, Fault> {
        let of = match self.kind {
            Kind::Table => batch.of(range.len())?.into_iter().map(|row| row + range.start as u32).collect(),
            Kind::Scalar if batch.rows == range.len() => (range.start as u32..range.end as u32).collect(),
            Kind::Scalar => return Err(Fault::Rows { expected: range.len(), found: batch.rows }),
        };
        let columns = self.columns.iter().enumerate().map(|(place, of)| batch.column(place, *of));
        Ok(Returned { of, columns: columns.collect::<Result<_, _>>()? })
    }
}

/// How many rows from `start` on go into one call.
fn rows_of_a_call(arguments: &[ArrayRef], start: usize, rows: usize) -> usize {
    let bytes = |count: usize| -> usize {
        let sizes = arguments.iter().map(|column| column.slice(start, count).to_data().get_slice_memory_size());
        sizes.map(|size| size.unwrap_or(CALL_BYTES)).sum()
    };
    let mut count = (rows - start).min(CALL_ROWS);
    while count > 1 && bytes(count) > CALL_BYTES {
        count /= 2;
    }
    count
}

/// One result of those of all parts.
fn joined(mut parts: Vec<Returned>) -> Result<Returned, ArrowError> {
    if parts.len() == 1 {
        return Ok(parts.swap_remove(0));
    }
    let width = parts.first().map_or(0, |part| part.columns.len());
    let column = |place: usize| {
        let columns: Vec<&dyn Array> = parts.iter().map(|part| part.columns[place].as_ref()).collect();
        concat(&columns)
    };
    let columns = (0..width).map(column).collect::<Result<_, _>>()?;
    Ok(Returned { of: parts.iter().flat_map(|part| &part.of).copied().collect(), columns })
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.export).finish()
    }
}
