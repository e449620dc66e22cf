//! The last line of `make test-sql`: what each test found out, as one object.

use std::sync::Mutex;

use serde_json::{Map, Value};

static KNOWN: Mutex<Option<Map<String, Value>>> = Mutex::new(None);

/// Adds fields to the line, and prints it. The last one printed has all.
pub fn note(fields: Value) {
    let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let known = known.get_or_insert_default();
    if let Value::Object(fields) = fields {
        known.extend(fields);
    }
    println!("\n{}", Value::Object(known.clone()));
}
