//! The modules that come with a job, as the engine asks for their functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tidemill_engine::function::{BatchFunction, Returned, UserFunctions};
use tidemill_model::job::JobSpec;
use tidemill_model::status::Problem;
use tidemill_plan::UserFunction;

use crate::fault::unusable;
use crate::function::{Function, Functions};

impl Functions {
    /// Checks and compiles the modules of a job.
    pub fn of_job(job: &JobSpec) -> Result<Self, Problem> {
        let mut modules: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for (digest, text) in &job.modules {
            modules.insert(digest, BASE64_STANDARD.decode(text).map_err(|error| unusable(digest, error))?);
        }
        Self::load(modules.iter().map(|(digest, bytes)| (*digest, bytes.as_slice())))
    }
}

impl UserFunctions for Functions {
    fn find(&self, function: &UserFunction) -> Result<Arc<dyn BatchFunction>, Problem> {
        Ok(Arc::new(self.function(&function.module, &function.export)?))
    }
}

impl BatchFunction for Function {
    fn call(&self, arguments: &[ArrayRef], rows: usize) -> Result<Returned, Problem> {
        self.called(arguments, rows)
    }
}
