//! What a module of user functions says of itself: which SQL functions it exports, with which types, and whether it can
//! be run at all. Planner, operator and worker ask this, so that a module that one accepts is no surprise to another.
//!
//! A function's signature is its export name, so that it stands in the source beside the code it is about, in any
//! language. How rows get in and out is in `ABI.md` beside this crate. This crate must never run a module.

mod module;
mod signature;

pub use module::{ALLOC, INITIALIZE, MAX_MODULE_BYTES, MEMORY, Module, ModuleError};
pub use signature::{Column, Returns, Signature, SignatureError, Type};
