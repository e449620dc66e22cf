//! Functions by example: what Flink answers.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use datafusion_common::ScalarValue;
use datafusion_common::arrow::array::{Array, ArrayRef, StringArray};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::*;

fn text(value: &str) -> ScalarValue {
    ScalarValue::from(value)
}

fn whole(value: i64) -> ScalarValue {
    ScalarValue::from(value)
}

fn moment(millis: i64) -> ScalarValue {
    ScalarValue::TimestampMillisecond(Some(millis), None)
}

fn call(name: &str, arguments: &[ColumnarValue], rows: usize) -> ArrayRef {
    let function = by_registered_name(name).unwrap_or_else(|| panic!("no function {name}"));
    let types: Vec<DataType> = arguments.iter().map(ColumnarValue::data_type).collect();
    let form = function.forms.iter().find(|form| form.accepts(&types).as_ref() == Some(&types));
    let returns = form.unwrap_or_else(|| panic!("{name} takes no {types:?}")).returns.data_type(&types);
    let arguments = ScalarFunctionArgs {
        args: arguments.to_vec(),
        arg_fields: types.iter().map(|t| Arc::new(Field::new("", t.clone(), true))).collect(),
        number_rows: rows,
        return_field: Arc::new(Field::new("", returns.clone(), true)),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let result = function.udf.invoke_with_args(arguments).unwrap().into_array(rows).unwrap();
    assert_eq!(result.data_type(), &returns, "{name} breaks its promise");
    result
}

/// Checks a call with constants, and with the same values as columns where the function allows that.
fn check(name: &str, arguments: &[ScalarValue], expected: ScalarValue) {
    let constants: Vec<_> = arguments.iter().cloned().map(ColumnarValue::Scalar).collect();
    let result = call(name, &constants, 1);
    assert_eq!(ScalarValue::try_from_array(&result, 0).unwrap(), expected, "{name} of {arguments:?}");
    let as_columns = arguments.iter().enumerate().map(|(place, value)| match may_vary(name, place) {
        true => ColumnarValue::Array(value.to_array_of_size(3).unwrap()),
        false => ColumnarValue::Scalar(value.clone()),
    });
    let result = call(name, &as_columns.collect::<Vec<_>>(), 3);
    assert_eq!((result.len(), ScalarValue::try_from_array(&result, 2).unwrap()), (3, expected), "{name} over columns");
}

/// Whether an argument need not be a constant.
fn may_vary(name: &str, place: usize) -> bool {
    match name {
        "extract" | "floor_time" | "ceil_time" | "timestampdiff" | "timestampadd" => place > 0,
        "json_object" | "json_array" => place > 0,
        "date_format" | "to_timestamp" | "to_date" | "unix_timestamp" | "is_json" => place == 0,
        "printf" => place > 0,
        "encode" | "decode" | "str_to_map" | "similar_to" => place == 0,
        _ if name.starts_with("regexp") => place != 1,
        _ if name.starts_with("json_") => matches!(place, 0 | 3 | 5) && !name.starts_with("json_query"),
        _ => true,
    }
}

#[test]
fn strings_count_from_one_and_know_negative_starts() {
    let null = ScalarValue::Utf8(None);
    check("substring", &[text("hello"), whole(2)], text("ello"));
    check("substring", &[text("hello"), whole(0), whole(2)], text("he"));
    check("substring", &[text("hello"), whole(-3), whole(2)], text("ll"));
    check("substring", &[text("hello"), whole(-9)], text(""));
    check("substring", &[text("hello"), whole(9)], text(""));
    check("substring", &[text("héllo"), whole(2), whole(1)], text("é"));
    check("substring", &[text("hello"), whole(1), whole(-1)], null.clone());
    check("left", &[text("héllo"), whole(2)], text("hé"));
    check("right", &[text("héllo"), whole(4)], text("éllo"));
    check("left", &[text("hello"), whole(-1)], text(""));
    check("lpad", &[text("7"), whole(3), text("ab")], text("ab7"));
    check("rpad", &[text("hello"), whole(2), text("")], text("he"));
    check("rpad", &[text("h"), whole(2), text("")], null);
}

#[test]
fn split_index_counts_from_zero_and_is_null_outside() {
    let null = ScalarValue::Utf8(None);
    check("split_index", &[text("a/b//c"), text("/"), whole(0)], text("a"));
    check("split_index", &[text("a/b//c"), text("/"), whole(2)], text(""));
    check("split_index", &[text("a/b//c"), text("/"), whole(4)], null.clone());
    check("split_index", &[text("a/b"), text("/"), whole(-1)], null.clone());
    check("split_index", &[text(""), text("/"), whole(0)], null);
    check("split_index", &[text("a b"), text(""), whole(1)], text("b"));
}

#[test]
fn concat_is_null_if_any_part_is() {
    check("concat", &[text("a"), text("b"), text("c")], text("abc"));
    check("concat", &[text("a"), ScalarValue::Utf8(None)], ScalarValue::Utf8(None));
    check("concat_ws", &[text("-"), text("a"), ScalarValue::Utf8(None), text("b")], text("a-b"));
}

#[test]
fn simple_text_functions_return_plain_strings() {
    check("upper", &[text("aé")], text("AÉ"));
    check("char_length", &[text("aé")], ScalarValue::from(2i32));
    check("position", &[text("hello"), text("l")], ScalarValue::from(3i32));
    check("btrim", &[text("  a ")], text("a"));
    check("replace", &[text("abab"), text("b"), text("")], text("aa"));
    check("reverse", &[text("abc")], text("cba"));
}

#[test]
fn numbers_are_written_as_java_writes_them() {
    for (number, expected) in [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (1e7, "1.0E7"),
        (1234567.0, "1234567.0"),
        (123456789.5, "1.234567895E8"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        check("number_to_string", &[ScalarValue::from(number)], text(expected));
    }
    check("number_to_string", &[ScalarValue::from(0.1f32)], text("0.1"));
}

#[test]
fn numbers_keep_their_type() {
    check("abs", &[ScalarValue::from(-3i32)], ScalarValue::from(3i32));
    check("abs", &[ScalarValue::from(i64::MIN)], ScalarValue::from(i64::MIN));
    check("floor", &[ScalarValue::from(-1.5)], ScalarValue::from(-2.0));
    check("ceil", &[ScalarValue::Decimal128(Some(-150), 10, 2)], ScalarValue::Decimal128(Some(-1), 10, 0));
    check("floor", &[ScalarValue::Decimal128(Some(-150), 10, 2)], ScalarValue::Decimal128(Some(-2), 10, 0));
    check("round", &[ScalarValue::from(1.005), whole(2)], ScalarValue::from(1.01));
    check("truncate", &[ScalarValue::from(42.328), whole(2)], ScalarValue::from(42.32));
    check("truncate", &[ScalarValue::from(-42.9)], ScalarValue::from(-42.0));
    check("truncate", &[ScalarValue::from(42.324f32), whole(-1)], ScalarValue::from(40.0f32));
    check("round", &[ScalarValue::from(1234i32), whole(-2)], ScalarValue::from(1200i32));
    check("round", &[whole(15), whole(-1)], whole(20));
    check(
        "round",
        &[ScalarValue::Decimal128(Some(12_345), 10, 3), whole(2)],
        ScalarValue::Decimal128(Some(12_350), 11, 3),
    );
    check(
        "round",
        &[ScalarValue::Decimal128(Some(-12_345), 10, 3), whole(1)],
        ScalarValue::Decimal128(Some(-12_300), 11, 3),
    );
    check("round", &[ScalarValue::Decimal128(Some(999), 3, 2), whole(1)], ScalarValue::Decimal128(Some(1000), 4, 2));
    check(
        "truncate",
        &[ScalarValue::Decimal128(Some(-12_349), 10, 3), whole(2)],
        ScalarValue::Decimal128(Some(-12_340), 11, 3),
    );
    check("sign", &[ScalarValue::from(-3i32)], ScalarValue::from(-1i32));
    check("sign", &[ScalarValue::from(0.5)], ScalarValue::from(1.0));
    check("sign", &[ScalarValue::Decimal128(Some(-150), 10, 2)], ScalarValue::Decimal128(Some(-100), 10, 2));
}

#[test]
fn regular_expressions_follow_java() {
    check("regexp_replace", &[text("a1b22"), text(r"(\d+)"), text("<$1>")], text("a<$1>b<$1>"));
    check("regexp_extract", &[text("x=12"), text(r"x=(\d+)"), whole(1)], text("12"));
    check("regexp_extract", &[text("y"), text(r"x=(\d+)"), whole(1)], ScalarValue::Utf8(None));
    check("regexp", &[text("hay needle"), text("need")], ScalarValue::from(true));
}

#[test]
fn json_is_read_by_path() {
    let json = text(r#"{"a": {"b": [1, "x"], "n": null}, "t": true, "s": "1", "d": 1.50}"#);
    let null = ScalarValue::Utf8(None);
    let value = |path: &str, expected: ScalarValue| check("json_value", &[json.clone(), text(path)], expected);
    value("$.a.b[1]", text("x"));
    value("$.a.b[0]", text("1"));
    value("$.t", text("true"));
    value("$.d", text("1.50"));
    value("$.a.n", null.clone());
    value("$.a.b", null.clone());
    value("$.a.b[*]", null.clone());
    value("$.x", null.clone());
    check("json_value", &[text("no json"), text("$.a")], null.clone());
    check("json_query", &[json.clone(), text("$.a")], text(r#"{"b":[1,"x"],"n":null}"#));
    check("json_query", &[json.clone(), text("$.s")], null);
    for (path, expected) in [("$.a.n", false), ("$.a.b[1]", true), ("$.a.b[2]", false), ("$.x", false)] {
        check("json_exists", &[json.clone(), text(path)], ScalarValue::from(expected));
    }
    check("json_exists", &[text("{"), text("$")], ScalarValue::from(false));
}

#[test]
fn json_values_have_clauses() {
    let check = |json: &str, path: &str, expected: &str| {
        let clauses = [text("DEFAULT"), text("empty"), text("DEFAULT"), text("error")];
        let arguments: Vec<_> = [text(json), text(path)].into_iter().chain(clauses).collect();
        check("json_value", &arguments, text(expected));
    };
    check(r#"{"a": 1}"#, "lax $.b", "empty");
    check(r#"{"a": 1}"#, "strict $.b", "error");
    check(r#"{"a": 1}"#, "$.b", "error");
    check(r#"{"a": [1]}"#, "lax $.a", "empty");
    check(r#"{"a": null}"#, "lax $.a", "empty");
    check(r#"{"a": null}"#, "strict $.a", "error");
    check("x", "lax $.a", "empty");
    check("x", "strict $.a", "error");
    let int = |json: &str, expected| {
        let clauses = [text("DEFAULT"), whole(5), text("NULL"), ScalarValue::Int64(None)];
        let arguments: Vec<_> = [text(json), text("lax $.a")].into_iter().chain(clauses).collect();
        super::tests::check("json_value_int", &arguments, ScalarValue::Int32(expected));
    };
    int(r#"{"a": 12}"#, Some(12));
    int(r#"{"b": 12}"#, Some(5));
}

#[test]
fn json_queries_have_clauses() {
    let check = |json: &str, path: &str, wrapper: &str, expected: Option<&str>| {
        let clauses = [wrapper, "EMPTY ARRAY", "EMPTY OBJECT"].map(text);
        let arguments: Vec<_> = [text(json), text(path)].into_iter().chain(clauses).collect();
        check("json_query", &arguments, ScalarValue::Utf8(expected.map(str::to_string)));
    };
    check(r#"{"a":[{"c":"c1"},{"c":"c2"}]}"#, "lax $.a[*].c", "WITHOUT", Some(r#"["c1","c2"]"#));
    check("{}", "$", "CONDITIONAL", Some("[{}]"));
    check("[1, 2]", "$", "CONDITIONAL", Some("[1,2]"));
    check("[1, 2]", "$", "UNCONDITIONAL", Some("[[1,2]]"));
    check("1", "$", "CONDITIONAL", Some("[1]"));
    check("1", "$", "WITHOUT", Some("{}"));
    check(r#"{"a":1}"#, "lax $.x", "WITHOUT", Some("[]"));
    check(r#"{"a":1}"#, "lax $.a", "WITHOUT", Some("[]"));
    check(r#"{"a":1}"#, "strict $.a", "WITHOUT", Some("{}"));
    check(r#"{"a":null}"#, "lax $.a", "UNCONDITIONAL", Some("[]"));
    check(r#"{"a":{"z":1,"b":[1, 2.50]}}"#, "$.a", "WITHOUT", Some(r#"{"b":[1,2.50],"z":1}"#));
}

#[test]
fn json_is_tested_and_made() {
    let is = |json: &str, kind: &str, expected: bool| check("is_json", &[text(json), text(kind)], expected.into());
    is("1", "VALUE", true);
    is("abc", "VALUE", false);
    is("{}", "OBJECT", true);
    is("[]", "OBJECT", false);
    is("[]", "ARRAY", true);
    is("\"a\"", "SCALAR", true);
    is("{}", "SCALAR", false);
    check("json_string", &[text("a\"b")], text(r#""a\"b""#));
    check("json_string", &[ScalarValue::from(1e10)], text("1.0E+10"));
    check("json_string", &[ScalarValue::from(1e-5)], text("0.000010"));
    check("json_string", &[ScalarValue::from(1.5f32)], text("1.5"));
    check("json_string", &[ScalarValue::Decimal128(Some(10_000), 10, 2)], text("100.00"));
    check("json_string", &[moment(1_577_880_000_123)], text("\"2020-01-01T12:00:00.123\""));
    check("json_string", &[ScalarValue::Binary(Some(vec![1, 2]))], text("\"AQI=\""));
    check("json_string", &[array([Some(1), None])], text("[1,null]"));
    let object = |how: &str, expected: &str| {
        let arguments =
            [text(how), text("n"), ScalarValue::Int64(None), text("j"), text("[1, 2]"), text("b"), true.into()];
        check("json_object", &arguments, text(expected));
    };
    object("NULL vvvjvv", r#"{"b":true,"j":[1,2],"n":null}"#);
    object("ABSENT vvvvvv", r#"{"b":true,"j":"[1, 2]"}"#);
    check("json_array", &[text("ABSENT vv"), ScalarValue::Int64(None), text("2")], text(r#"["2"]"#));
    check("json_array", &[text("NULL v"), ScalarValue::Int64(None)], text("[null]"));
    check("json_quote", &[text("é")], text(r#""\u00e9""#));
    check("json_unquote", &[text(r#""\u00e9""#)], text("é"));
}

fn array(elements: impl IntoIterator<Item = Option<i64>>) -> ScalarValue {
    let elements: Vec<ScalarValue> = elements.into_iter().map(ScalarValue::Int64).collect();
    ScalarValue::List(ScalarValue::new_list(&elements, &DataType::Int64, true))
}

fn texts<const N: usize>(elements: [Option<&str>; N]) -> ScalarValue {
    let elements: Vec<ScalarValue> =
        elements.into_iter().map(|text| ScalarValue::Utf8(text.map(str::to_string))).collect();
    ScalarValue::List(ScalarValue::new_list(&elements, &DataType::Utf8, true))
}

#[test]
fn arrays_are_made_of_arrays() {
    let some = |numbers: &[i64]| array(numbers.iter().copied().map(Some));
    let null = |data_type: DataType| ScalarValue::try_from(crate::nested::array(data_type)).unwrap();
    check("array_append", &[some(&[1, 2]), whole(3)], some(&[1, 2, 3]));
    check("array_append", &[some(&[1]), ScalarValue::Int64(None)], array([Some(1), None]));
    check("array_append", &[null(DataType::Int64), whole(1)], null(DataType::Int64));
    check("array_prepend", &[some(&[1, 2]), whole(0)], some(&[0, 1, 2]));
    check("array_concat", &[some(&[1, 2]), some(&[]), some(&[4])], some(&[1, 2, 4]));
    check("array_concat", &[some(&[1]), null(DataType::Int64)], null(DataType::Int64));
    check("array_distinct", &[array([Some(3), Some(1), Some(3), None, None])], array([Some(3), Some(1), None]));
    check("array_reverse", &[array([Some(1), Some(2), None])], array([None, Some(2), Some(1)]));
    check("array_remove", &[array([Some(1), Some(2), Some(1), None]), whole(1)], array([Some(2), None]));
    check("array_remove", &[array([Some(1), None]), ScalarValue::Int64(None)], some(&[1]));
    check("array_except", &[some(&[1, 2, 2, 3, 3]), some(&[3])], some(&[1, 2]));
    check(
        "array_intersect",
        &[array([Some(2), Some(2), Some(3), None]), array([Some(2), None])],
        array([Some(2), None]),
    );
    check(
        "array_union",
        &[some(&[1, 2, 2]), array([Some(3), Some(1), None])],
        array([Some(1), Some(2), Some(3), None]),
    );
    check("array_slice", &[some(&[1, 2, 3]), whole(-2), whole(-1)], some(&[2, 3]));
    check("array_slice", &[some(&[1, 2, 3]), whole(2)], some(&[2, 3]));
    let unsorted = array([Some(3), None, Some(1)]);
    check("array_sort", std::slice::from_ref(&unsorted), array([None, Some(1), Some(3)]));
    check("array_sort", &[unsorted.clone(), false.into()], array([Some(3), Some(1), None]));
    check("array_sort", &[unsorted, true.into(), false.into()], array([Some(1), Some(3), None]));
}

#[test]
fn arrays_are_asked_for_what_is_in_them() {
    let numbers = array([Some(1), None, Some(3)]);
    check("array_contains", &[numbers.clone(), whole(3)], true.into());
    check("array_contains", &[numbers.clone(), ScalarValue::Int64(None)], true.into());
    check("array_contains", &[array([Some(1)]), ScalarValue::Int64(None)], false.into());
    check("array_position", &[numbers.clone(), whole(3)], ScalarValue::from(3i32));
    check("array_position", &[numbers.clone(), whole(9)], ScalarValue::from(0i32));
    check("array_position", &[numbers.clone(), ScalarValue::Int64(None)], ScalarValue::Int32(None));
    check("array_max", std::slice::from_ref(&numbers), whole(3));
    check("array_min", &[texts([Some("b"), Some("a")])], text("a"));
    check("array_min", &[array([None])], ScalarValue::Int64(None));
    check("array_join", &[texts([Some("a"), Some("b"), None]), text(",")], text("a,b"));
    check("array_join", &[texts([Some("a"), None]), text(","), text("x")], text("a,x"));
    check("element", &[texts([Some("a")])], text("a"));
    check("element", &[texts([])], ScalarValue::Utf8(None));
}

#[test]
fn maps_are_taken_apart_and_put_together() {
    let map = |text: &str| {
        let made = call("str_to_map", &[ColumnarValue::Scalar(super::tests::text(text))], 1);
        ScalarValue::try_from_array(&made, 0).unwrap()
    };
    check("map_keys", &[map("a=1,b=2")], texts([Some("a"), Some("b")]));
    check("map_values", &[map("a=1,b")], texts([Some("1"), None]));
    check("map_union", &[map("a=1"), map("b=2,a=3")], map("a=3,b=2"));
    check("map_from_arrays", &[texts([Some("a"), Some("b")]), texts([Some("1"), None])], map("a=1,b"));
    check("map_keys", &[map("a=1,a=2,,c=1=2,")], texts([Some("a"), Some(""), Some("c")]));
    check("map_values", &[map("a=1,a=2,,c=1=2,")], texts([Some("2"), None, Some("1=2")]));
    check("map_keys", &[map("")], texts([]));
    let entries = call("map_entries", &[ColumnarValue::Scalar(map("a=1"))], 1);
    assert_eq!(entries.len(), 1);
}

#[test]
fn texts_are_searched_and_split() {
    check("split", &[text("a,b,,c"), text(",")], texts([Some("a"), Some("b"), Some(""), Some("c")]));
    check("split", &[text("héy"), text("")], texts([Some("h"), Some("é"), Some("y")]));
    check("split", &[text(""), text(",")], texts([]));
    let int = |name: &str, of: &str, pattern: &str, expected: i32| {
        check(name, &[text(of), text(pattern)], ScalarValue::from(expected));
    };
    int("regexp_count", "aaa", "aa", 1);
    int("regexp_count", "abc", "", 4);
    int("regexp_instr", "xé1", r"\d", 3);
    int("regexp_instr", "abc", "x", 0);
    check("regexp_substr", &[text("a12b3"), text(r"\d+")], text("12"));
    check("regexp_substr", &[text("abc"), text("x")], ScalarValue::Utf8(None));
    let all =
        |group, expected| check("regexp_extract_all", &[text("a1b2"), text(r"([a-z])(\d)"), whole(group)], expected);
    all(2, texts([Some("1"), Some("2")]));
    all(0, texts([Some("a1"), Some("b2")]));
    all(3, ScalarValue::try_from(crate::nested::array(DataType::Utf8)).unwrap());
    check("regexp_extract_all", &[text("a1b2"), text("([a-z])")], texts([Some("a"), Some("b")]));
    for (pattern, expected) in [("a%", true), ("(a|b)%", true), ("a", false), ("ab_", true)] {
        check("similar_to", &[text("abc"), text(pattern)], expected.into());
    }
}

#[test]
fn texts_are_laid_over_texts() {
    let over = |other: &str, start: i64, length: Option<i64>, expected: &str| {
        let arguments: Vec<_> = [text("abc"), text(other), whole(start)].into_iter().chain(length.map(whole)).collect();
        check("overlay", &arguments, text(expected));
    };
    over("X", 2, None, "aXc");
    over("X", 0, None, "abc");
    over("X", 9, None, "abc");
    over("X", 2, Some(0), "aX");
    over("XY", 2, Some(-1), "aXY");
    over("X", 3, Some(9), "abX");
    check("overlay", &[text("xxxxxtest"), text("xxxx"), whole(6), whole(2)], text("xxxxxxxxxst"));
}

#[test]
fn the_greatest_and_the_least_are_null_if_one_is() {
    check("greatest", &[whole(1), whole(3), whole(2)], whole(3));
    check("least", &[text("b"), text("a")], text("a"));
    check("greatest", &[whole(1), ScalarValue::Int64(None)], ScalarValue::Int64(None));
    check("greatest", &[ScalarValue::from(-1.0), ScalarValue::from(2.5)], ScalarValue::from(2.5));
}

#[test]
fn letters_are_found_and_exchanged() {
    let int = |value: i32| ScalarValue::from(value);
    check("locate", &[text("l"), text("héllo")], int(3));
    check("locate", &[text("l"), text("héllo"), whole(4)], int(4));
    check("locate", &[text("l"), text("héllo"), whole(5)], int(0));
    check("locate", &[text("l"), text("héllo"), whole(0)], int(3));
    check("locate", &[text(""), text("ab"), whole(3)], int(1));
    check("translate", &[text("www.apache.org"), text("wapcheorg"), text(" APCHEcom")], text("   .APACHE.com"));
    check("translate", &[text("abc"), text("ab"), text("x")], text("xc"));
    check("initcap", &[text("hello wORLD a1b-cD")], text("Hello World A1b-Cd"));
    check("startswith", &[text("abc"), text("")], ScalarValue::from(true));
    check("endswith", &[text("abc"), text("b")], ScalarValue::from(false));
    check("ascii", &[text("abc")], int(97));
    check("ascii", &[text("")], int(0));
    check("chr", &[whole(97 + 256)], text("a"));
    check("chr", &[whole(-1)], text(""));
    check("elt", &[whole(2), text("a"), text("b")], text("b"));
    check("elt", &[whole(3), text("a"), text("b")], ScalarValue::Utf8(None));
}

#[test]
fn strings_are_told_apart_by_what_they_are_made_of() {
    for (name, value, expected) in [
        ("is_alpha", "aé", true),
        ("is_alpha", "a1", false),
        ("is_alpha", "", false),
        ("is_digit", "017", true),
        ("is_digit", "-1", false),
        ("is_decimal", " -1.5e3 ", true),
        ("is_decimal", "12f", true),
        ("is_decimal", "inf", false),
        ("is_decimal", "1a", false),
        ("is_decimal", "", false),
    ] {
        check(name, &[text(value)], ScalarValue::from(expected));
    }
}

#[test]
fn strings_are_digested_and_encoded() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    check("sha256", &[text("abc")], text(abc));
    check("sha2", &[text("abc"), whole(256)], text(abc));
    check("md5", &[text("abc")], text("900150983cd24fb0d6963f7d28e17f72"));
    check("sha1", &[text("abc")], text("a9993e364706816aba3e25717850c26c9cd0d89d"));
    check("to_base64", &[text("hello world")], text("aGVsbG8gd29ybGQ="));
    check("encode", &[text("aé"), text("UTF-16LE")], ScalarValue::Binary(Some(vec![0x61, 0, 0xe9, 0])));
    check("decode", &[ScalarValue::Binary(Some(vec![0x61, 0xc3, 0xa9])), text("UTF-8")], text("aé"));
    check("unhex", &[text("466C")], ScalarValue::Binary(Some(b"Fl".to_vec())));
    check("unhex", &[text("xy")], ScalarValue::Binary(None));
    check("from_base64", &[text("aGVsbG8gd29ybGQ=")], text("hello world"));
    check("hex", &[text("hello,world")], text("68656C6C6F2C776F726C64"));
    check("hex", &[whole(100)], text("64"));
    check("hex", &[whole(-1)], text("FFFFFFFFFFFFFFFF"));
    check("bin", &[whole(4)], text("100"));
}

#[test]
fn urls_are_taken_apart() {
    let url = "http://user:pw@flink.apache.org:8080/path/p.php?k1=v1&k2=v=2#Ref1";
    let part = |name: &str, expected: &str| check("parse_url", &[text(url), text(name)], text(expected));
    part("HOST", "flink.apache.org");
    part("PATH", "/path/p.php");
    part("QUERY", "k1=v1&k2=v=2");
    part("REF", "Ref1");
    part("PROTOCOL", "http");
    part("AUTHORITY", "user:pw@flink.apache.org:8080");
    part("USERINFO", "user:pw");
    part("FILE", "/path/p.php?k1=v1&k2=v=2");
    check("parse_url", &[text(url), text("QUERY"), text("k2")], text("v=2"));
    for (url, name) in [("no url", "HOST"), (url, "PORT"), ("http://a/b", "QUERY"), ("http://a/b", "REF")] {
        check("parse_url", &[text(url), text(name)], ScalarValue::Utf8(None));
    }
    check("url_encode", &[text("a é/?*")], text("a+%C3%A9%2F%3F*"));
    check("url_decode", &[text("a+%C3%A9%2F%3F*")], text("a é/?*"));
    check("url_decode", &[text("50%")], ScalarValue::Utf8(None));
}

#[test]
fn chance_answers_for_each_row_anew() {
    let uuids = call("uuid", &[], 2);
    assert_ne!(ScalarValue::try_from_array(&uuids, 0).unwrap(), ScalarValue::try_from_array(&uuids, 1).unwrap());
    check("rand_integer", &[whole(1)], ScalarValue::from(0i32));
}

#[test]
fn doubles_have_logarithms_and_angles() {
    let double = |value: f64| ScalarValue::from(value);
    check("log10", &[double(100.0)], double(2.0));
    check("log2", &[double(8.0)], double(3.0));
    check("log", &[double(1.0)], double(0.0));
    check("log", &[double(3.0), double(3.0)], double(1.0));
    check("ln", &[double(0.0)], double(f64::NEG_INFINITY));
    check("degrees", &[double(std::f64::consts::PI)], double(180.0));
    check("atan2", &[double(0.0), double(1.0)], double(0.0));
    assert_eq!(call("pi", &[], 2).len(), 2);
}

#[test]
fn times_are_written_and_read() {
    let stamp = 1_709_210_096_789; // 2024-02-29 12:34:56.789
    check("date_format", &[moment(stamp), text("yyyy-MM-dd HH:mm:ss.SSS")], text("2024-02-29 12:34:56.789"));
    check("to_timestamp", &[text("2024-02-29 12:34:56.789")], moment(stamp));
    check("to_timestamp", &[text("29.02.2024"), text("dd.MM.yyyy")], moment(1_709_164_800_000));
    check("to_timestamp", &[text("30.02.2024"), text("dd.MM.yyyy")], ScalarValue::TimestampMillisecond(None, None));
    check("extract", &[text("HOUR"), moment(stamp)], whole(12));
    check("extract", &[text("DOW"), moment(stamp)], whole(5));
    check("floor_time", &[text("MINUTE"), moment(stamp)], moment(1_709_210_040_000));
    check("timestampdiff", &[text("DAY"), moment(0), moment(stamp)], ScalarValue::from(19_782i32));
    let century = [text("SECOND"), moment(-2_208_866_400_000), moment(4_102_653_600_000)];
    check("timestampdiff", &century, ScalarValue::from(2_016_552_704i32));
    check("ceil_time", &[text("MINUTE"), moment(stamp)], moment(1_709_210_100_000));
    check("timestampadd", &[text("MONTH"), whole(12), moment(stamp)], moment(1_740_746_096_789));
    check("timestampadd", &[text("WEEK"), whole(1), ScalarValue::Date32(Some(0))], ScalarValue::Date32(Some(7)));
    let time = |millis| ScalarValue::Time32Millisecond(Some(millis));
    check("timestampadd", &[text("MINUTE"), whole(-1), time(0)], time(86_340_000));
    check("ceil_time", &[text("HOUR"), time(45_871_000)], time(46_800_000));
    check("extract", &[text("MINUTE"), time(45_871_000)], whole(44));
    check("date_format", &[text("2024-02-29 12:34:56"), text("dd.MM.")], text("29.02."));
    check("date_format", &[text("yesterday"), text("dd.MM.")], ScalarValue::Utf8(None));
    check("from_unixtime", &[whole(0)], text("1970-01-01 00:00:00"));
    check("unix_timestamp", &[text("2024-02-29 12:34:56")], whole(stamp / 1000));
    check("unix_timestamp", &[text("29.02.2024"), text("dd.MM.yyyy")], whole(1_709_164_800));
    check("unix_timestamp", &[text("yesterday")], whole(i64::MIN));
    check("to_date", &[text("2024-02-29 12:34:56")], ScalarValue::Date32(Some(19_782)));
    check("to_date", &[text("31.12.1969"), text("dd.MM.yyyy")], ScalarValue::Date32(Some(-1)));
    check("to_date", &[text("2024-02-30")], ScalarValue::Date32(None));
    let instant = ScalarValue::TimestampMillisecond(Some(5000), Some("UTC".into()));
    check("to_timestamp_ltz", &[whole(5), whole(0)], instant);
}

#[test]
fn names_and_aliases_lead_to_one_function() {
    let mut names = std::collections::BTreeSet::new();
    for function in all() {
        for name in std::iter::once(&function.name).chain(function.aliases) {
            assert!(names.insert(*name), "{name} is there twice");
        }
        assert!(scalar_functions().contains_key(function.name));
        let is_told = about(function.name).is_some() || !function.is_callable();
        assert!(is_told, "the documentation says nothing of {}", function.name);
    }
    for name in SECTIONS.iter().flat_map(|(_, functions)| *functions).map(|(name, _)| name) {
        assert!(by_registered_name(name).is_some(), "the documentation speaks of {name}");
    }
    assert_eq!(find("SUBSTR").map(|function| function.name), Some("substring"));
}

#[test]
fn columns_and_nulls_pass_through() {
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), None]));
    let result = call("substring", &[ColumnarValue::Array(column), ColumnarValue::Scalar(whole(2))], 2);
    assert_eq!((result.is_null(0), result.is_null(1)), (false, true));
}
