//! Functions of the user's, as the engine calls them. What runs them lives in `tidemill-wasm`.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::ArrayRef;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::UserFunction;

use crate::connector::Result;

/// The functions that came with a job.
pub trait UserFunctions: Send + Sync {
    /// The function, ready to be called from any thread. That a plan calls one that did not come is a fault of ours.
    fn find(&self, function: &UserFunction) -> Result<Arc<dyn BatchFunction>>;
}

/// A function, called for a batch at a time. It gives the same for the same rows, however they are cut into batches.
pub trait BatchFunction: Debug + Send + Sync {
    /// Calls it for `rows` rows. The columns have the types that the function's signature says.
    fn call(&self, arguments: &[ArrayRef], rows: usize) -> Result<Returned>;
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    /// For each row the argument row that it belongs to, in ascending order. Those of a scalar function are all the
    /// argument rows.
    pub of: Vec<u32>,
    pub columns: Vec<ArrayRef>,
}

/// For a job that calls no functions of the user's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl UserFunctions for NoFunctions {
    fn find(&self, function: &UserFunction) -> Result<Arc<dyn BatchFunction>> {
        Err(Problem {
            kind: ProblemKind::Internal,
            object: function.name.clone(),
            message: format!("the function `{}` is called where no module can be run", function.export),
            remedy: "please report this with the application's SQL".to_string(),
        })
    }
}
