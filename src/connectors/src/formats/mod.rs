//! Record formats: what stands in a message or file, turned to and from Arrow columns. Pure; must never do I/O.

pub mod avro;
pub mod csv;
pub mod json;
mod numbers;
pub mod part;
pub mod raw;
pub mod time;
