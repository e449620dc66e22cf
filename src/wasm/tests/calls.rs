//! Calls of real modules: of every type, with NULLs, and in every way in which a function can fail.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::types::Int32Type;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
};
use tidemill_engine::function::Returned;
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_wasm::{Function, Functions};

fn function(export: &str) -> Function {
    let bytes = wat::parse_str(include_str!("probe.wat")).unwrap();
    let digest = tidemill_functions::Module::read(&bytes).unwrap().digest;
    Functions::load([(digest.as_str(), bytes.as_slice())]).unwrap().function(&digest, export).unwrap()
}

fn call(export: &str, arguments: &[ArrayRef]) -> Result<Returned, Problem> {
    function(export).called(arguments, arguments.first().map_or(0, |column| column.len()))
}

fn integers(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

#[test]
fn every_type_goes_in_and_comes_out_with_its_nulls() {
    let columns: [(&str, ArrayRef); 7] = [
        ("BOOLEAN", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        ("INT", integers(vec![Some(i32::MIN), None, Some(0), Some(i32::MAX)])),
        ("BIGINT", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(0), Some(i64::MAX)]))),
        ("DOUBLE", Arc::new(Float64Array::from(vec![Some(-0.5), None, Some(f64::INFINITY), Some(1e-300)]))),
        ("STRING", Arc::new(StringArray::from(vec![Some("äöü"), None, Some(""), Some("𝄞")]))),
        ("BYTES", Arc::new(BinaryArray::from(vec![Some(&[0u8, 255][..]), None, Some(&[]), Some(&[7])]))),
        (
            "TIMESTAMP",
            Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None, Some(0), Some(1_700_000_000_123)])),
        ),
    ];
    for (of, column) in columns {
        let export = format!("same({of}) -> {of}");
        for part in [column.clone(), column.slice(1, 2), column.slice(2, 2), column.slice(0, 0)] {
            let returned = call(&export, std::slice::from_ref(&part)).unwrap();
            assert_eq!(returned.columns, std::slice::from_ref(&part), "{export}");
            assert_eq!(returned.of, (0..part.len() as u32).collect::<Vec<_>>());
        }
    }
}

#[test]
fn many_rows_and_large_rows_go_in_several_calls() {
    let numbers = integers((0..20_000).map(|number| (number % 7 != 0).then_some(number)).collect());
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..20_000).map(|number| "x".repeat(number % 50))));
    let first = function("first(INT, STRING) -> INT");
    let returned = first.called(&[numbers.clone(), texts], 20_000).unwrap();
    assert_eq!(returned.columns, std::slice::from_ref(&numbers));
    let large: ArrayRef = Arc::new(StringArray::from_iter_values((0..5).map(|_| "y".repeat(12 << 20))));
    assert_eq!(call("same(STRING) -> STRING", std::slice::from_ref(&large)).unwrap().columns, [large]);
    // Numbers of argument rows go on from call to call.
    let counts = integers((0..20_000).map(|row| Some(i32::from(row % 10_000 == 9_999))).collect());
    assert_eq!(call("down(INT) -> TABLE(n INT)", &[counts]).unwrap().of, [9_999, 19_999]);
}

#[test]
fn a_table_function_gives_no_row_or_one_or_many() {
    let returned = call("down(INT) -> TABLE(n INT)", &[integers(vec![Some(0), Some(3), None, Some(1)])]).unwrap();
    assert_eq!(returned.of, [1, 1, 1, 3]);
    assert_eq!(returned.columns[0].as_primitive::<Int32Type>().values(), &[3, 2, 1, 1]);
    assert_eq!(call("down(INT) -> TABLE(n INT)", &[integers(vec![Some(0)])]).unwrap().of, [0u32; 0]);
}

#[test]
fn a_module_is_as_new_in_every_call_and_initialised() {
    let fresh = function("fresh(INT) -> INT");
    for _ in 0..3 {
        fresh.called(&[integers(vec![Some(1)])], 1).unwrap();
    }
}

/// What the user is told of a call with ten rows.
#[track_caller]
fn check_failure(export: &str, expected: &str) {
    let problem = call(export, &[integers((0..10).map(Some).collect())]).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::ExpressionFailed);
    let expected = format!("the function `{export}` failed on rows 0 to 9 of a batch: it {expected}");
    assert_eq!(problem.message, expected);
    assert!(!problem.remedy.is_empty());
}

#[test]
fn a_call_that_exceeds_a_limit_ends_with_its_name() {
    check_failure("endless(INT) -> INT", "executed more than 101000000 instructions");
    check_failure("hungry(INT) -> INT", "needed more than 64 MiB of memory");
    check_failure("deep(INT) -> INT", "needed more than 256 KiB of stack");
    let large: ArrayRef = Arc::new(StringArray::from_iter_values(["z".repeat(70 << 20)]));
    let problem = call("same(STRING) -> STRING", &[large]).unwrap_err();
    assert!(problem.message.ends_with("it needed more than 64 MiB of memory"), "{}", problem.message);
}

#[test]
fn a_trap_or_a_result_that_is_not_as_described_ends_with_its_name() {
    check_failure("broken(INT) -> INT", "gave up: wasm trap: wasm `unreachable` instruction executed");
    check_failure("outside(INT) -> INT", "gave its result outside of its memory");
    check_failure("nothing(INT) -> INT", "gave 0 values for 10 rows");
    check_failure("far(INT) -> INT", "gave 1 values for 10 rows");
    check_failure("strange(INT) -> TABLE(n INT)", "gave rows that belong to no argument row, or that are out of order");
    let failure = |export: &str| call(export, &[integers(vec![None])]).unwrap_err().message;
    assert!(failure("far(INT) -> INT").ends_with("it gave values outside of its memory"));
    assert!(failure("garbled(INT) -> STRING").ends_with("it gave a STRING that is not UTF-8"));
    assert!(failure("descending(INT) -> BYTES").ends_with("it gave offsets that do not ascend"));
}

#[test]
fn a_function_that_is_not_there_or_called_otherwise_is_refused() {
    let bytes = wat::parse_str(include_str!("probe.wat")).unwrap();
    let digest = tidemill_functions::Module::read(&bytes).unwrap().digest;
    let functions = Functions::load([(digest.as_str(), bytes.as_slice())]).unwrap();
    let missing = functions.function(&digest, "absent(INT) -> INT").unwrap_err();
    assert!(missing.message.contains("`absent(INT) -> INT` cannot be called: its module does not export it"));
    assert!(functions.function("0", "same(INT) -> INT").unwrap_err().message.contains("did not come with the job"));
    let other: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert!(call("same(INT) -> INT", &[other]).unwrap_err().message.contains("with other arguments than it takes"));
}

#[test]
fn modules_that_import_or_are_not_what_the_plan_knows_are_refused() {
    let import = wat::parse_str(r#"(module (import "env" "now" (func (result i64))))"#).unwrap();
    let refused = Functions::load([("d", import.as_slice())]).err().unwrap();
    assert!(refused.message.contains("it imports `env.now`, and nothing may be imported"), "{}", refused.message);
    let bytes = wat::parse_str(include_str!("probe.wat")).unwrap();
    let refused = Functions::load([("0123", bytes.as_slice())]).err().unwrap();
    assert!(refused.message.contains("its bytes have the digest"), "{}", refused.message);
}
