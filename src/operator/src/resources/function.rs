//! User functions of an Application.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::application::ConfigMapKeyRef;

/// A WebAssembly module of user functions, under the name that it has in the SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSource {
    /// What the SQL calls it: the class in `CREATE FUNCTION f AS 'com.example.CountChar'`, or the file in
    /// `CREATE FUNCTION f AS 'count_char' LANGUAGE WASM USING FILE 'count_char.wasm'`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Which of the module's functions a class stands for. Default: its only one. With a file the SQL says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub function: Option<String>,
    /// Where the module is: a key of a ConfigMap's `binaryData`, as `kubectl create configmap NAME --from-file FILE.wasm`
    /// makes it. A change of the module makes a new version.
    pub config_map_key_ref: ConfigMapKeyRef,
}
