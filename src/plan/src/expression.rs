//! Scalar expressions over a row, fully typed: the planner has resolved names, inserted casts and chosen functions.

use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

/// A scalar expression. Columns are places in the input's schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expression {
    Column(usize),
    Literal(Literal),
    Binary {
        left: Box<Expression>,
        operator: BinaryOperator,
        right: Box<Expression>,
    },
    Not(Box<Expression>),
    Negative(Box<Expression>),
    IsNull(Box<Expression>),
    IsTrue(Box<Expression>),
    IsFalse(Box<Expression>),
    /// A cast that fails the job on bad input, or with `or_null` (TRY_CAST) yields NULL.
    Cast {
        expression: Box<Expression>,
        to: DataType,
        or_null: bool,
    },
    /// `CASE WHEN … THEN … ELSE … END`, the searched form.
    Case {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    InList {
        expression: Box<Expression>,
        list: Vec<Expression>,
        negated: bool,
    },
    /// SQL LIKE with `\` as default escape character.
    Like {
        expression: Box<Expression>,
        pattern: Box<Expression>,
        escape: Option<char>,
        negated: bool,
    },
    /// The value, which must not be NULL: otherwise the job fails, and the column is named as this.
    Required {
        expression: Box<Expression>,
        column: String,
    },
    /// A field of a ROW, by its place; NULL where the row is.
    Field {
        expression: Box<Expression>,
        place: usize,
    },
    /// The element of an ARRAY with this number, an INT from 1, or the value of a MAP's key; NULL where there is none.
    Element {
        expression: Box<Expression>,
        index: Box<Expression>,
    },
    /// How many elements an ARRAY or MAP has; INT.
    Cardinality(Box<Expression>),
    /// A ROW of its fields, an ARRAY of its elements, or a MAP of key, value, key, value ….
    Construct {
        of: DataType,
        parts: Vec<Expression>,
    },
    /// A function of [`crate::functions`], by its registered name.
    Call {
        function: String,
        arguments: Vec<Expression>,
        returns: DataType,
    },
    /// A scalar function of the user's. The arguments have the types that its export says.
    UserCall {
        function: UserFunction,
        arguments: Vec<Expression>,
        returns: DataType,
    },
}

/// A function of the user's, in a WebAssembly module that comes with the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFunction {
    /// What the SQL calls it, for display.
    pub name: String,
    /// SHA-256 of the module, in hexadecimal digits.
    pub module: String,
    /// The name of the module's export, which says what the function takes and gives.
    pub export: String,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Literal {
    /// NULL of a type.
    Null(DataType),
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    Decimal128 {
        value: i128,
        precision: u8,
        scale: i8,
    },
    Utf8(String),
    Binary(Vec<u8>),
    /// Days since 1970.
    Date32(i32),
    /// Milliseconds since midnight.
    Time32Millis(i32),
    /// Milliseconds since 1970; with a zone it is a TIMESTAMP_LTZ.
    TimestampMillis {
        value: i64,
        zone: Option<String>,
    },
    /// An interval of months, days and nanoseconds.
    Interval {
        months: i32,
        days: i32,
        nanoseconds: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Plus,
    Minus,
    Multiply,
    Divide,
    Modulo,
    /// String concatenation.
    Concat,
}

impl BinaryOperator {
    /// What stands for a comparison when its sides change places.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            other => other,
        }
    }
}
