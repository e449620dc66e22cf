//! `FUNCTIONS.md` lists the functions that there are. `UPDATE_FUNCTIONS=1 cargo test -p tidemill-sql --test functions`
//! writes it anew.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[test]
fn the_table_of_functions_is_the_one_that_is_planned_by() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("FUNCTIONS.md");
    let found = tidemill_sql::functions::reference();
    if std::env::var_os("UPDATE_FUNCTIONS").is_some() {
        fs::write(&file, &found).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == found, "FUNCTIONS.md is old: run with UPDATE_FUNCTIONS=1");
}
