//! The scalar functions, by the names that plans call them by. Planner and engine take them from here, so that a
//! function means the same where it is checked and where it runs.
//!
//! Every function here has Flink's meaning. One that DataFusion has under the same name but with another meaning
//! (`CONCAT` skipping NULLs, say) is written anew; one whose Flink meaning is not settled is left out, so that a text
//! that uses it is refused rather than silently answered otherwise. A function never fails a job for a NULL.

mod about;
mod addresses;
mod arguments;
mod arrays;
mod bytes;
mod calendar;
mod cast_text;
pub mod casts;
mod codes;
mod compare;
mod decimals;
mod json;
mod json_build;
mod json_path;
mod json_text;
mod json_value;
mod kernel;
mod letters;
mod lists;
mod maps;
mod mathematics;
mod numbers;
mod pattern;
mod printf;
mod printf_format;
mod random;
mod regex;
mod search;
mod similar;
mod text;
mod time;
mod time_field;
mod url;
pub mod written;
mod zones;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, TimeUnit};
use datafusion_expr::ScalarUDF;

use crate::nested;

pub use about::{SECTIONS, about};
pub use json_build::{JSON_OF_MEMBERS, becomes_json};
pub use pattern::{format_timestamp, read_timestamp as parse_timestamp};
pub use time::CURRENT_WATERMARK;
pub use time_field::TimeField;
pub use zones::{INSTANT_OF, LOCAL_OF};

/// A scalar function as the planner sees it.
pub struct Function {
    /// Lower case; the name in [`crate::Expression::Call`].
    pub name: &'static str,
    /// Other names of the same function in SQL.
    pub aliases: &'static [&'static str],
    /// The argument lists it takes. The first that fits is meant.
    pub forms: &'static [Form],
    /// What calls look like, for messages and documentation.
    pub usage: &'static str,
    pub nulls: Nulls,
    /// Checks arguments that must be constants. Gets each argument's text if it is a string or whole-number constant.
    pub check: fn(&[Option<String>]) -> Result<(), String>,
    pub udf: Arc<ScalarUDF>,
}

/// One list of parameters. With `repeats`, the last parameter may come again.
pub struct Form {
    pub parameters: &'static [Parameter],
    pub repeats: bool,
    pub returns: Returns,
}

/// What an argument may be. The planner casts a narrower type to the one named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    Text,
    /// A whole number of any width; the function gets a BIGINT.
    Whole,
    /// Whole numbers of any width, as they are.
    AnyWhole,
    /// FLOAT or DOUBLE, as they are.
    Approximate,
    Decimal,
    /// Any number; the function gets a DOUBLE.
    Double,
    /// A TIMESTAMP as it is; the function also gets a DATE as a TIMESTAMP.
    Timestamp,
    /// A TIMESTAMP_LTZ.
    Instant,
    Date,
    Time,
    Boolean,
    Bytes,
    /// Anything whose type is known, as it is.
    Anything,
    /// The same, but no BYTES and nothing that has parts.
    Single,
    /// Of the type of the argument with this number.
    SameAs(usize),
    /// An ARRAY, as it is.
    Array,
    /// An ARRAY of STRING.
    Texts,
    /// What goes into the ARRAY that is the argument with this number.
    ElementOf(usize),
    /// A MAP, as it is.
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    Type(Simple),
    SameAs(usize),
    /// The DECIMAL type of the argument with scale 0.
    WholeDecimal(usize),
    /// The DECIMAL type of the argument with a digit more before the point.
    WiderDecimal(usize),
    /// What two DECIMALs become by arithmetic.
    Sum,
    Product,
    Quotient,
    Remainder,
    /// The type of an ARRAY's elements.
    ElementOf(usize),
    /// An ARRAY of a MAP's keys, of its values, or of a ROW of both.
    KeysOf(usize),
    ValuesOf(usize),
    EntriesOf(usize),
    /// A MAP from the elements of one ARRAY to those of another.
    MapOf(usize, usize),
    /// An ARRAY of STRING, and a MAP of STRING to STRING.
    Texts,
    TextMap,
}

/// Result types that can be written as constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simple {
    Text,
    Boolean,
    Int,
    BigInt,
    Double,
    Date,
    Time,
    Timestamp,
    Instant,
    Bytes,
}

/// When a result is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Only if an argument is.
    Strict,
    /// Also for other reasons, such as text that cannot be parsed.
    Sometimes,
    /// Not even if an argument is.
    Never,
}

impl Function {
    fn is_callable(&self) -> bool {
        let called = self.usage.split('(').next().unwrap_or_default();
        called.eq_ignore_ascii_case(self.name)
    }
}

impl Simple {
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time32(TimeUnit::Millisecond),
            Self::Bytes => DataType::Binary,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        }
    }
}

impl Returns {
    pub fn data_type(self, arguments: &[DataType]) -> DataType {
        let of = |index: usize| arguments.get(index).cloned().unwrap_or(DataType::Null);
        let element = |index: usize| nested::element_of(&of(index)).map_or(DataType::Null, |(_, element)| element);
        let key = |index: usize| nested::element_of(&of(index)).map_or(DataType::Null, |(key, _)| key);
        match self {
            Self::Type(simple) => simple.data_type(),
            Self::SameAs(index) => of(index),
            Self::WholeDecimal(index) => match of(index) {
                DataType::Decimal128(precision, _) => DataType::Decimal128(precision, 0),
                other => other,
            },
            Self::WiderDecimal(index) => match of(index) {
                DataType::Decimal128(precision, scale) => DataType::Decimal128((precision + 1).min(38), scale),
                other => other,
            },
            Self::Sum | Self::Product | Self::Quotient | Self::Remainder => match (of(0), of(1)) {
                (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
                    self.decimal((p1.into(), s1.into()), (p2.into(), s2.into()))
                }
                _ => DataType::Null,
            },
            Self::ElementOf(index) => element(index),
            Self::KeysOf(index) => nested::array(key(index)),
            Self::ValuesOf(index) => nested::array(element(index)),
            Self::EntriesOf(index) => nested::array(nested::row([("key", key(index)), ("value", element(index))])),
            Self::MapOf(keys, values) => nested::map(element(keys), element(values)),
            Self::Texts => nested::array(DataType::Utf8),
            Self::TextMap => nested::map(DataType::Utf8, DataType::Utf8),
        }
    }
}

impl Returns {
    /// The result of arithmetic on numbers of these precisions and scales.
    fn decimal(self, (p1, s1): (i32, i32), (p2, s2): (i32, i32)) -> DataType {
        let (precision, scale) = match self {
            Self::Sum => ((p1 - s1).max(p2 - s2) + s1.max(s2) + 1, s1.max(s2)),
            Self::Product => (p1 + p2 + 1, s1 + s2),
            Self::Quotient => {
                let scale = (s1 + p2 + 1).max(6);
                (p1 - s1 + s2 + scale, scale)
            }
            _ => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        };
        fitted_decimal(precision, scale)
    }
}

/// A DECIMAL with as many digits as there may be; fraction digits are given up before whole ones, down to 6.
pub fn fitted_decimal(precision: i32, scale: i32) -> DataType {
    const MOST: i32 = 38;
    if precision <= MOST {
        return DataType::Decimal128(precision.max(1) as u8, scale as i8);
    }
    let scale = (MOST - (precision - scale)).max(scale.min(6));
    DataType::Decimal128(MOST as u8, scale as i8)
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    text::functions()
        .into_iter()
        .chain(letters::functions())
        .chain(codes::functions())
        .chain(printf::functions())
        .chain(addresses::functions())
        .chain(numbers::functions())
        .chain(mathematics::functions())
        .chain(decimals::functions())
        .chain(compare::functions())
        .chain(regex::functions())
        .chain(search::functions())
        .chain(bytes::functions())
        .chain(arrays::functions())
        .chain(maps::functions())
        .chain(json::functions())
        .chain(json_build::functions())
        .chain(url::functions())
        .chain(random::functions())
        .chain(time::functions())
        .chain(zones::functions())
        .collect()
});

/// All functions, in the order of the documentation.
pub fn all() -> &'static [Function] {
    &FUNCTIONS
}

/// The function that SQL calls by this name or alias, whatever its case. Functions that stand for another syntax, as
/// their usage shows, cannot be called by name.
pub fn find(name: &str) -> Option<&'static Function> {
    let name = name.to_ascii_lowercase();
    all()
        .iter()
        .find(|function| function.name == name && function.is_callable() || function.aliases.contains(&name.as_str()))
}

/// The function that plans call by this name.
pub fn by_registered_name(name: &str) -> Option<&'static Function> {
    all().iter().find(|function| function.name == name)
}

/// All scalar functions by the name that plans call them by.
pub fn scalar_functions() -> BTreeMap<String, Arc<ScalarUDF>> {
    all().iter().map(|function| (function.name.to_string(), function.udf.clone())).collect()
}

fn anything(_: &[Option<String>]) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests;
