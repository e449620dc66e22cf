//! The scalar functions, by the names that plans call them by. Planner and engine take them from here, so that a
//! function means the same where it is checked and where it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_expr::ScalarUDF;

/// All scalar functions by registered name, aliases included.
pub fn scalar_functions() -> BTreeMap<String, Arc<ScalarUDF>> {
    let mut functions = BTreeMap::new();
    for function in datafusion_functions::all_default_functions() {
        for alias in function.aliases() {
            functions.insert(alias.clone(), function.clone());
        }
        functions.insert(function.name().to_string(), function);
    }
    functions
}
