//! What a job has from outside of the engine: tables that are read and written, tables that are looked up in, and
//! functions of the user's. It is handed to whatever builds operators.

use std::sync::Arc;

use crate::connector::Connectors;
use crate::function::{NoFunctions, UserFunctions};
use crate::lookup::Lookups;

pub struct Outside {
    pub connectors: Connectors,
    pub functions: Arc<dyn UserFunctions>,
    /// Opened by [`crate::run`] from the plan.
    pub lookups: Lookups,
}

impl Outside {
    /// Without functions.
    pub fn of(connectors: Connectors) -> Self {
        Self { connectors, ..Self::default() }
    }
}

/// Nothing at all: for plans of operators alone.
impl Default for Outside {
    fn default() -> Self {
        Self { connectors: Connectors::new(), functions: Arc::new(NoFunctions), lookups: Lookups::default() }
    }
}
