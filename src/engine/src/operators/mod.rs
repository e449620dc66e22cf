//! The dataflow's operators.

mod calc;
pub mod window;

pub use calc::CalcOperator;
