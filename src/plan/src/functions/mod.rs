//! The scalar functions, by the names that plans call them by. Planner and engine take them from here, so that a
//! function means the same where it is checked and where it runs.
//!
//! Every function here has Flink's meaning. One that DataFusion has under the same name but with another meaning
//! (`CONCAT` skipping NULLs, say) is written anew; one whose Flink meaning is not settled is left out, so that a text
//! that uses it is refused rather than silently answered otherwise. A function never fails a job for a NULL.

mod arguments;
mod calendar;
mod codes;
mod json;
mod json_path;
mod json_value;
mod kernel;
mod letters;
mod mathematics;
mod numbers;
mod pattern;
mod random;
mod regex;
mod text;
mod time;
mod url;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, TimeUnit};
use datafusion_expr::ScalarUDF;

pub use calendar::TimeField;
pub use pattern::{format_timestamp, read_timestamp as parse_timestamp};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    Type(Simple),
    SameAs(usize),
    /// The DECIMAL type of the argument with scale 0.
    WholeDecimal(usize),
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
    Timestamp,
    Instant,
}

/// When a result is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// Only if an argument is.
    Strict,
    /// Also for other reasons, such as text that cannot be parsed.
    Sometimes,
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
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        }
    }
}

impl Returns {
    pub fn data_type(self, arguments: &[DataType]) -> DataType {
        match self {
            Self::Type(simple) => simple.data_type(),
            Self::SameAs(index) => arguments.get(index).cloned().unwrap_or(DataType::Null),
            Self::WholeDecimal(index) => match arguments.get(index) {
                Some(DataType::Decimal128(precision, _)) => DataType::Decimal128(*precision, 0),
                other => other.cloned().unwrap_or(DataType::Null),
            },
        }
    }
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    text::functions()
        .into_iter()
        .chain(letters::functions())
        .chain(codes::functions())
        .chain(numbers::functions())
        .chain(mathematics::functions())
        .chain(regex::functions())
        .chain(json::functions())
        .chain(url::functions())
        .chain(random::functions())
        .chain(time::functions())
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
