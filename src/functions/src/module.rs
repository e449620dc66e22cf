//! Reads a module: what it exports, and whether it keeps to the sandbox.

use sha2::{Digest, Sha256};
use wasmparser::types::{EntityType, Types};
use wasmparser::{Parser, Payload, ValType, Validator, WasmFeatures};

use crate::signature::{Signature, SignatureError};

/// The export that a module gets memory for arguments from.
pub const ALLOC: &str = "tidemill_alloc";
/// The export that is called before anything else, if it is there.
pub const INITIALIZE: &str = "_initialize";
/// The export that is a module's memory.
pub const MEMORY: &str = "memory";
/// The largest module. It travels in a Secret, which holds 1 MiB, with the job's plan and in Base64.
pub const MAX_MODULE_BYTES: usize = 512 * 1024;

/// A module that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// SHA-256 of its bytes in hexadecimal digits.
    pub digest: String,
    /// What it exports: the name of each export, and what that says. At least one.
    pub functions: Vec<(String, Signature)>,
}

/// Why a module cannot be run. Messages end with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    #[error("it has {0} bytes, and {MAX_MODULE_BYTES} are allowed; build it for size and strip it")]
    TooLarge(usize),
    #[error("it is no WebAssembly module of version 2.0: {0}; build it as a library for wasm32-unknown-unknown")]
    Invalid(String),
    #[error(
        "it imports {0}, and nothing may be imported: functions see neither clock nor files; build it for \
         wasm32-unknown-unknown and without what the system would have to give"
    )]
    Imports(String),
    #[error("it has no export `{name}` of the type {of}; export it as ABI.md says")]
    Missing { name: &'static str, of: &'static str },
    #[error("its export `{export}` is not of the type (i32) -> i32; take and give the address of a batch")]
    WrongType { export: String },
    #[error("its export `{export}` is no signature: {error}; correct the export's name")]
    Signature { export: String, error: SignatureError },
    #[error("its export `{export}` takes what another export of the same name takes; leave one out")]
    Twice { export: String },
    #[error("it exports no function; give one an export name such as `f(STRING) -> BIGINT`")]
    Empty,
}

impl Module {
    /// Reads and checks a module.
    pub fn read(bytes: &[u8]) -> Result<Self, ModuleError> {
        if bytes.len() > MAX_MODULE_BYTES {
            return Err(ModuleError::TooLarge(bytes.len()));
        }
        let invalid = |error: wasmparser::BinaryReaderError| ModuleError::Invalid(error.to_string());
        let types = Validator::new_with_features(WasmFeatures::WASM2).validate_all(bytes).map_err(invalid)?;
        let mut functions: Vec<(String, Signature)> = Vec::new();
        let (mut has_memory, mut has_alloc) = (false, false);
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(invalid)? {
                Payload::ImportSection(section) => refuse_imports(section)?,
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(invalid)?;
                        let of = types.as_ref().entity_type_from_export(&export);
                        match export.name {
                            MEMORY => has_memory = matches!(of, Some(EntityType::Memory(_))),
                            ALLOC => has_alloc = is_address_to_address(of, &types),
                            name if name.contains('(') => {
                                let signature = signature_of(name, is_address_to_address(of, &types), &functions)?;
                                functions.push((name.to_string(), signature));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        match (has_memory, has_alloc, functions.is_empty()) {
            (false, _, _) => Err(ModuleError::Missing { name: MEMORY, of: "memory" }),
            (_, false, _) => Err(ModuleError::Missing { name: ALLOC, of: "(i32) -> i32" }),
            (_, _, true) => Err(ModuleError::Empty),
            (true, true, false) => Ok(Self { digest: digest(bytes), functions }),
        }
    }
}

fn signature_of(name: &str, fits: bool, others: &[(String, Signature)]) -> Result<Signature, ModuleError> {
    let export = name.to_string();
    let signature = match Signature::parse(name) {
        Ok(signature) => signature,
        Err(error) => return Err(ModuleError::Signature { export, error }),
    };
    let is_same = |other: &Signature| other.name == signature.name && other.parameters == signature.parameters;
    match (fits, others.iter().any(|(_, other)| is_same(other))) {
        (false, _) => Err(ModuleError::WrongType { export }),
        (true, true) => Err(ModuleError::Twice { export }),
        (true, false) => Ok(signature),
    }
}

fn refuse_imports(section: wasmparser::ImportSectionReader<'_>) -> Result<(), ModuleError> {
    let mut names = Vec::new();
    for import in section.into_imports() {
        let import = import.map_err(|error| ModuleError::Invalid(error.to_string()))?;
        names.push(format!("`{}.{}`", import.module, import.name));
    }
    const SHOWN: usize = 3;
    match names.len() {
        0 => Ok(()),
        count if count > SHOWN => {
            Err(ModuleError::Imports(format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN)))
        }
        _ => Err(ModuleError::Imports(names.join(", "))),
    }
}

fn is_address_to_address(of: Option<EntityType>, types: &Types) -> bool {
    let Some(EntityType::Func(id)) = of else { return false };
    let types = types.as_ref();
    let of = types[id].unwrap_func();
    of.params() == [ValType::I32] && of.results() == [ValType::I32]
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: &str = r#"(memory (export "memory") 1)
        (func (export "tidemill_alloc") (param i32) (result i32) i32.const 8)"#;

    fn read(rest: &str) -> Result<Module, ModuleError> {
        Module::read(&wat::parse_str(format!("(module {rest})")).unwrap())
    }

    fn refusal(rest: &str) -> String {
        read(rest).unwrap_err().to_string()
    }

    fn function(name: &str) -> String {
        format!(r#"(func (export "{name}") (param i32) (result i32) local.get 0)"#)
    }

    #[test]
    fn functions_are_found_by_their_export_names() {
        let module =
            read(&[NEEDED, &function("f(INT) -> INT"), &function("f(STRING) -> INT"), &function("other")].join(""));
        let module = module.unwrap();
        let names: Vec<&str> = module.functions.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["f(INT) -> INT", "f(STRING) -> INT"]);
        assert_eq!(module.digest.len(), 64);
    }

    #[test]
    fn imports_are_refused_by_name() {
        let import = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32)))"#;
        let refused = refusal(&[import, NEEDED, &function("f() -> INT")].join(""));
        assert!(refused.starts_with("it imports `wasi_snapshot_preview1.fd_write`, and nothing may be"), "{refused}");
        let many = refusal(&[&import.repeat(5), NEEDED].join(""));
        assert!(many.contains(" and 2 more,"), "{many}");
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        let f = function("f() -> INT");
        assert!(refusal(&f).contains("no export `memory`"));
        assert!(refusal(&[r#"(memory (export "memory") 1)"#, &f].join("")).contains("no export `tidemill_alloc`"));
        assert!(refusal(NEEDED).contains("it exports no function"));
        let other = r#"(func (export "f() -> INT") (param i64) (result i32) i32.const 0)"#;
        assert!(refusal(&[NEEDED, other].join("")).contains("`f() -> INT` is not of the type (i32) -> i32"));
        let decimal = refusal(&[NEEDED, &function("f(DECIMAL) -> INT")].join(""));
        assert!(decimal.contains("`f(DECIMAL) -> INT` is no signature: the type `DECIMAL`"), "{decimal}");
        let twice = refusal(&[NEEDED, &f, &function("f() -> BIGINT")].join(""));
        assert!(twice.contains("`f() -> BIGINT` takes what another"), "{twice}");
    }

    #[test]
    fn what_is_no_module_or_too_large_or_too_new_is_refused() {
        assert!(Module::read(b"#!/bin/sh").unwrap_err().to_string().contains("no WebAssembly module"));
        assert_eq!(Module::read(&vec![0; MAX_MODULE_BYTES + 1]), Err(ModuleError::TooLarge(MAX_MODULE_BYTES + 1)));
        let wide = r#"(memory i64 1) (func (export "f() -> INT") (param i32) (result i32) local.get 0)"#;
        assert!(refusal(wide).contains("no WebAssembly module of version 2.0"));
    }
}
