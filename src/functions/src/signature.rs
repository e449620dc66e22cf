//! Signatures, as they are written in export names: `count_char(STRING, STRING) -> BIGINT`.

use std::fmt;

use arrow_schema::{DataType, TimeUnit};

/// A SQL type that functions can have to do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Boolean,
    Int,
    BigInt,
    Double,
    String,
    Bytes,
    /// Without a time zone, in milliseconds.
    Timestamp,
}

/// What a function is called with and what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub parameters: Vec<Type>,
    pub returns: Returns,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returns {
    /// One value for each row: a scalar function.
    Value(Type),
    /// Any number of rows for each row, with these columns: a table function. There is at least one.
    Table(Vec<Column>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub of: Type,
}

/// Why an export name is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is not written as `name(TYPE, …) -> TYPE` or `name(TYPE, …) -> TABLE(column TYPE, …)`")]
    Form,
    #[error("`{0}` is no name: it has to be made of letters, digits and `_`, and to begin with no digit")]
    Name(String),
    #[error("the type `{0}` is none of BOOLEAN, INT, BIGINT, DOUBLE, STRING, BYTES and TIMESTAMP")]
    Type(String),
    #[error("the column `{0}` comes twice")]
    Twice(String),
}

impl Signature {
    /// Reads an export name.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let (call, returns) = text.split_once("->").ok_or(SignatureError::Form)?;
        let (name, parameters) = parenthesised(call)?;
        let name = checked_name(name)?;
        let parameters = listed(parameters).map(Type::parse).collect::<Result<_, _>>()?;
        let returns = match parenthesised(returns) {
            Ok((table, columns)) if table.eq_ignore_ascii_case("TABLE") => Returns::Table(columns_of(columns)?),
            // `TIMESTAMP(3)` has parentheses, too.
            Ok(_) | Err(_) => Returns::Value(Type::parse(returns.trim())?),
        };
        Ok(Self { name, parameters, returns })
    }
}

fn columns_of(text: &str) -> Result<Vec<Column>, SignatureError> {
    let mut columns: Vec<Column> = Vec::new();
    for column in listed(text) {
        let (name, of) = column.split_once(char::is_whitespace).ok_or(SignatureError::Form)?;
        let column = Column { name: checked_name(name)?, of: Type::parse(of.trim())? };
        if columns.iter().any(|other| other.name == column.name) {
            return Err(SignatureError::Twice(column.name));
        }
        columns.push(column);
    }
    if columns.is_empty() { Err(SignatureError::Form) } else { Ok(columns) }
}

/// What stands before and in the parentheses that a text ends with.
fn parenthesised(text: &str) -> Result<(&str, &str), SignatureError> {
    let (before, inside) = text.trim().split_once('(').ok_or(SignatureError::Form)?;
    Ok((before.trim(), inside.strip_suffix(')').ok_or(SignatureError::Form)?))
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    let is_empty = text.trim().is_empty();
    text.split(',').map(str::trim).filter(move |_| !is_empty)
}

fn checked_name(name: &str) -> Result<String, SignatureError> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match name.chars().next() {
        Some(first) if letters && !first.is_ascii_digit() => Ok(name.to_string()),
        Some(_) | None => Err(SignatureError::Name(name.to_string())),
    }
}

impl Type {
    pub const ALL: [Self; 7] =
        [Self::Boolean, Self::Int, Self::BigInt, Self::Double, Self::String, Self::Bytes, Self::Timestamp];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Double => "DOUBLE",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Timestamp => "TIMESTAMP",
        }
    }

    /// The type of columns in the engine.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::String => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        }
    }

    fn parse(text: &str) -> Result<Self, SignatureError> {
        let name = text.to_ascii_uppercase();
        let name = if name == "TIMESTAMP(3)" { "TIMESTAMP" } else { &name };
        Self::ALL.into_iter().find(|of| of.name() == name).ok_or_else(|| SignatureError::Type(text.to_string()))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<&str> = self.parameters.iter().map(|of| of.name()).collect();
        write!(f, "{}({}) -> ", self.name, parameters.join(", "))?;
        match &self.returns {
            Returns::Value(of) => write!(f, "{of}"),
            Returns::Table(columns) => {
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("{} {}", column.name, column.of)).collect();
                write!(f, "TABLE({})", columns.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        Signature::parse(text).map_or_else(|error| error.to_string(), |signature| signature.to_string())
    }

    #[test]
    fn a_signature_says_name_parameters_and_result() {
        assert_eq!(read("count_char(STRING, STRING) -> BIGINT"), "count_char(STRING, STRING) -> BIGINT");
        assert_eq!(read(" f ( ) ->boolean"), "f() -> BOOLEAN");
        assert_eq!(read("at(timestamp(3), Double) -> TIMESTAMP(3)"), "at(TIMESTAMP, DOUBLE) -> TIMESTAMP");
        let split = "split(STRING) -> TABLE(word STRING, length INT)";
        assert_eq!(read(split), split);
        assert_eq!(read("split(STRING)->table( word  STRING )"), "split(STRING) -> TABLE(word STRING)");
    }

    #[test]
    fn what_is_no_signature_is_refused_by_what_is_wrong_with_it() {
        assert!(read("f(INT)").starts_with("it is not written as"));
        assert!(read("f(INT -> INT").starts_with("it is not written as"));
        assert!(read("f(INT) -> TABLE()").starts_with("it is not written as"));
        assert!(read("f(INT) -> TABLE(INT)").starts_with("it is not written as"));
        assert!(read("f(INT,) -> INT").starts_with("the type `` is none of"));
        assert!(read("f(DECIMAL) -> INT").starts_with("the type `DECIMAL` is none of BOOLEAN, INT"));
        assert!(read("f(INT) -> ROW(a INT)").starts_with("the type `ROW(a INT)` is none of"));
        assert!(read("2f(INT) -> INT").starts_with("`2f` is no name"));
        assert_eq!(read("f() -> TABLE(a INT, a INT)"), "the column `a` comes twice");
    }
}
