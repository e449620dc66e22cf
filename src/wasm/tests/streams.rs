//! Plans that call functions of a real module, under the engine's driver: results, changes taken back, and a restore.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_engine::driver::Driver;
use tidemill_engine::element::Element;
use tidemill_engine::outside::Outside;
use tidemill_functions::Module;
use tidemill_plan::StreamPlan;
use tidemill_sql::{Catalog, FunctionModule};
use tidemill_wasm::Functions;

const TABLES: &str = "
    CREATE FUNCTION same AS 'same' LANGUAGE WASM USING FILE 'probe.wasm';
    CREATE FUNCTION broken AS 'broken' LANGUAGE WASM USING FILE 'probe.wasm';
    CREATE FUNCTION down AS 'down' LANGUAGE WASM USING FILE 'probe.wasm';
    CREATE TABLE t (k INT, n INT) WITH ('connector' = 'kafka', 'topic' = 't');
    CREATE TABLE o (a INT, b BIGINT) WITH ('connector' = 'print');";

/// The plan of a query into `o`, and the functions that it calls.
fn planned(query: &str) -> (StreamPlan, Outside) {
    let bytes = wat::parse_str(include_str!("probe.wat")).unwrap();
    let module = Module::read(&bytes).unwrap();
    let functions = Functions::load([(module.digest.as_str(), bytes.as_slice())]).unwrap();
    let modules = [FunctionModule { name: "probe.wasm".to_string(), function: None, module }];
    let text = format!("{TABLES} INSERT INTO o {query};");
    let plan = tidemill_sql::compile(&text, Catalog { tables: &[], modules: &modules }).unwrap().plan;
    (plan, Outside { functions: Arc::new(functions), ..Outside::default() })
}

fn rows(rows: &[(i32, Option<i32>)], driver: &mut Driver) -> Result<(), String> {
    let columns: [(&str, ArrayRef); 2] = [
        ("k", Arc::new(rows.iter().map(|(k, _)| Some(*k)).collect::<Int32Array>())),
        ("n", Arc::new(rows.iter().map(|(_, n)| *n).collect::<Int32Array>())),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
    let fed = driver.feed(0, 0, Element::Batch(batch)).and_then(|()| driver.end_epoch());
    fed.map_err(|problem| format!("{}: {}", problem.object, problem.message))
}

/// What the sink got, a text for each row with its change last.
fn received(driver: &mut Driver) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let mut found = Vec::new();
    for (_, rows) in driver.received.drain(..) {
        let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let columns: Vec<_> = columns.collect();
        for row in 0..rows.num_rows() {
            found.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" "));
        }
    }
    found
}

#[test]
fn scalar_functions_compute_and_filter() {
    let (plan, outside) = planned("SELECT same(k), same(CAST(n AS BIGINT)) FROM t WHERE same(n) > 1 OR n IS NULL");
    let mut driver = Driver::within(&plan, 1, 1, &outside).unwrap();
    rows(&[(1, Some(1)), (2, Some(2)), (3, None)], &mut driver).unwrap();
    assert_eq!(received(&mut driver), ["2 2", "3 NULL"]);
}

#[test]
fn table_functions_give_each_row_its_rows() {
    for (join, expected) in [
        ("t, LATERAL TABLE(down(n)) AS d (m)", vec!["2 2", "2 1"]),
        ("t LEFT JOIN LATERAL TABLE(down(n)) AS d (m) ON TRUE", vec!["1 NULL", "2 2", "2 1", "3 NULL"]),
    ] {
        let (plan, outside) = planned(&format!("SELECT k, CAST(m AS BIGINT) FROM {join}"));
        let mut driver = Driver::within(&plan, 1, 1, &outside).unwrap();
        rows(&[(1, Some(0)), (2, Some(2)), (3, None)], &mut driver).unwrap();
        assert_eq!(received(&mut driver), expected);
    }
}

#[test]
fn rows_that_are_taken_back_take_theirs_with_them() {
    let (plan, outside) = planned(
        "SELECT m, COUNT(*) FROM (SELECT k, MAX(n) AS n FROM t GROUP BY k) AS g, LATERAL TABLE(down(n)) AS d (m) GROUP BY m",
    );
    let mut driver = Driver::within(&plan, 1, 1, &outside).unwrap();
    rows(&[(1, Some(1)), (2, Some(2))], &mut driver).unwrap();
    let before = received(&mut driver);
    assert!(before.iter().any(|row| row.starts_with("1 2 ")), "1 is there of both keys: {before:?}");
    rows(&[(1, Some(2))], &mut driver).unwrap();
    let after = received(&mut driver);
    assert!(after.iter().any(|row| row.starts_with("2 2 ")), "now 2 is, too: {after:?}");
}

#[test]
fn a_job_goes_on_from_a_snapshot() {
    let (plan, outside) =
        planned("SELECT same(k), SUM(CAST(m AS BIGINT)) FROM t, LATERAL TABLE(down(n)) AS d (m) GROUP BY same(k)");
    let mut driver = Driver::within(&plan, 2, 1, &outside).unwrap();
    rows(&[(1, Some(3)), (2, Some(1))], &mut driver).unwrap();
    let snapshot = driver.snapshot().unwrap();
    let mut restored = Driver::within(&plan, 3, 7, &outside).unwrap();
    restored.restore(&snapshot).unwrap();
    rows(&[(1, Some(2))], &mut restored).unwrap();
    assert_eq!(received(&mut restored), ["1 6 1", "1 9 2"], "6 of before and 3");
}

#[test]
fn a_function_that_fails_says_so_with_the_operator() {
    let (plan, outside) = planned("SELECT broken(k), 1 FROM t");
    let mut driver = Driver::within(&plan, 1, 1, &outside).unwrap();
    let failure = rows(&[(1, None)], &mut driver).unwrap_err();
    let expected = "calc-o-1: the function `broken(INT) -> INT` failed on rows 0 to 0 of a batch: it gave up";
    assert!(failure.starts_with(expected), "{failure}");
}

#[test]
fn a_plan_whose_module_is_missing_is_not_run() {
    let (plan, _) = planned("SELECT same(k), 1 FROM t");
    let refused = Driver::within(&plan, 1, 1, &Outside::default()).err().unwrap();
    assert!(refused.message.contains("`same(INT) -> INT` is called where no module can be run"), "{}", refused.message);
}
