//! Figures that the tests measure, kept in the file that `TIDEMILL_TEST_REPORT` names, one JSON object. The Makefile's
//! targets print it.

use serde_json::{Map, Value, json};

/// Adds figures to the report; those of the same names are replaced.
pub fn add(figures: &[(&str, f64)]) {
    for (name, value) in figures {
        println!("{name:32} {value:10.2}");
    }
    let Some(path) = std::env::var_os("TIDEMILL_TEST_REPORT") else {
        return;
    };
    let mut report: Map<String, Value> = std::fs::read_to_string(&path)
        .map_or_else(|_| Map::new(), |text| serde_json::from_str(&text).expect("the report is a JSON object"));
    report.extend(figures.iter().map(|(name, value)| ((*name).to_owned(), json!((value * 100.0).round() / 100.0))));
    std::fs::write(&path, Value::Object(report).to_string()).expect("write the report");
}
