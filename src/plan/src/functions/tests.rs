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
    let form = function.forms.iter().find(|form| {
        form.takes(types.len())
            && types
                .iter()
                .enumerate()
                .all(|(i, t)| form.parameter(i).is_some_and(|p| p.accepts(t).as_ref() == Some(t)))
    });
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
    let first_as_column = arguments.iter().enumerate().map(|(place, value)| {
        let is_unit = matches!(name, "extract" | "floor_time" | "timestampdiff") && place == 0;
        if place > 0 && matches!(name, "date_format" | "to_timestamp" | "to_date" | "unix_timestamp")
            || is_unit
            || place > 0 && (name.starts_with("regexp") || name.starts_with("json"))
        {
            ColumnarValue::Scalar(value.clone())
        } else {
            ColumnarValue::Array(value.to_array_of_size(3).unwrap())
        }
    });
    let result = call(name, &first_as_column.collect::<Vec<_>>(), 3);
    assert_eq!((result.len(), ScalarValue::try_from_array(&result, 2).unwrap()), (3, expected), "{name} over columns");
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
    check("sign", &[ScalarValue::from(-3i32)], ScalarValue::from(-1i32));
    check("sign", &[ScalarValue::from(0.5)], ScalarValue::from(1.0));
    check("sign", &[ScalarValue::Decimal128(Some(-150), 10, 2)], ScalarValue::Decimal128(Some(-100), 10, 2));
}

#[test]
fn regular_expressions_follow_java() {
    check("regexp_replace", &[text("a1b22"), text(r"(\d+)"), text("<$1>")], text("a<1>b<22>"));
    check("regexp_extract", &[text("x=12"), text(r"x=(\d+)"), whole(1)], text("12"));
    check("regexp_extract", &[text("y"), text(r"x=(\d+)"), whole(1)], ScalarValue::Utf8(None));
    check("regexp", &[text("hay needle"), text("need")], ScalarValue::from(true));
}

#[test]
fn json_is_read_by_path() {
    let json = text(r#"{"a": {"b": [1, "x"], "n": null}, "t": true, "s": "1"}"#);
    let null = ScalarValue::Utf8(None);
    let value = |path: &str, expected: ScalarValue| check("json_value", &[json.clone(), text(path)], expected);
    value("$.a.b[1]", text("x"));
    value("$.a.b[0]", text("1"));
    value("$.t", text("true"));
    value("$.a.n", null.clone());
    value("$.a.b", null.clone());
    value("$.a.b[*]", null.clone());
    value("$.x", null.clone());
    check("json_value", &[text("no json"), text("$.a")], null.clone());
    check("json_query", &[json.clone(), text("$.a")], text(r#"{"b":[1,"x"],"n":null}"#));
    check("json_query", &[json.clone(), text("$.s")], null);
    for (path, expected) in [("$.a.n", true), ("$.a.b[1]", true), ("$.a.b[2]", false), ("$.x", false)] {
        check("json_exists", &[json.clone(), text(path)], ScalarValue::from(expected));
    }
    check("json_exists", &[text("{"), text("$")], ScalarValue::from(false));
}

#[test]
fn letters_are_found_and_exchanged() {
    let int = |value: i32| ScalarValue::from(value);
    check("locate", &[text("l"), text("héllo")], int(3));
    check("locate", &[text("l"), text("héllo"), whole(4)], int(4));
    check("locate", &[text("l"), text("héllo"), whole(5)], int(0));
    check("locate", &[text("l"), text("héllo"), whole(0)], int(0));
    check("locate", &[text(""), text("ab"), whole(3)], int(3));
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
    }
    assert_eq!(find("SUBSTR").map(|function| function.name), Some("substring"));
}

#[test]
fn columns_and_nulls_pass_through() {
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), None]));
    let result = call("substring", &[ColumnarValue::Array(column), ColumnarValue::Scalar(whole(2))], 2);
    assert_eq!((result.is_null(0), result.is_null(1)), (false, true));
}
