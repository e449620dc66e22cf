//! Expressions with their types.

use arrow_schema::DataType;
use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::expressions::substitute;
use crate::types;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Typed {
    pub expression: Expression,
    pub data_type: DataType,
    pub nullable: bool,
}

impl Typed {
    pub(crate) fn new(expression: Expression, data_type: DataType, nullable: bool) -> Self {
        Self { expression, data_type, nullable }
    }

    pub(crate) fn literal(literal: Literal, data_type: DataType) -> Self {
        Self::new(Expression::Literal(literal), data_type, false)
    }

    pub(crate) fn null(data_type: DataType) -> Self {
        Self::new(Expression::Literal(Literal::Null(data_type.clone())), data_type, true)
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::literal(Literal::Utf8(text.into()), DataType::Utf8)
    }

    pub(crate) fn boolean(expression: Expression, nullable: bool) -> Self {
        Self::new(expression, DataType::Boolean, nullable)
    }

    pub(crate) fn call(function: &str, arguments: Vec<Typed>, returns: DataType, nullable: bool) -> Self {
        let arguments = arguments.into_iter().map(|argument| argument.expression).collect();
        let function = function.to_string();
        Self::new(Expression::Call { function, arguments, returns: returns.clone() }, returns, nullable)
    }

    /// The same where `width` columns have come to stand before its own.
    pub(crate) fn moved(self, width: usize) -> Self {
        let expression = substitute(&self.expression, &|place| Expression::Column(place + width));
        Self { expression, ..self }
    }

    pub(crate) fn boxed(self) -> Box<Expression> {
        Box::new(self.expression)
    }

    /// The text of a string or whole-number constant.
    pub(crate) fn constant(&self) -> Option<String> {
        match &self.expression {
            Expression::Literal(Literal::Utf8(text)) => Some(text.clone()),
            Expression::Literal(literal) => whole(literal).map(|value| value.to_string()),
            _ => None,
        }
    }

    /// The same value in a type that can hold it. Constants are converted now.
    pub(crate) fn widened(self, to: &DataType) -> Self {
        if self.data_type == *to {
            return self;
        }
        if self.data_type == DataType::Null {
            return Self::null(to.clone());
        }
        if let Expression::Literal(literal) = &self.expression
            && let Some(converted) = convert(literal, to)
        {
            // A NULL of another type is still NULL.
            return Self { expression: Expression::Literal(converted), data_type: to.clone(), nullable: self.nullable };
        }
        Self { expression: cast(self.expression, to), data_type: to.clone(), nullable: self.nullable }
    }
}

pub(crate) fn cast(expression: Expression, to: &DataType) -> Expression {
    Expression::Cast { expression: Box::new(expression), to: to.clone(), or_null: false }
}

pub(crate) fn binary(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
    Expression::Binary { left: Box::new(left), operator, right: Box::new(right) }
}

fn whole(literal: &Literal) -> Option<i64> {
    match literal {
        Literal::Int8(value) => Some((*value).into()),
        Literal::Int16(value) => Some((*value).into()),
        Literal::Int32(value) => Some((*value).into()),
        Literal::Int64(value) => Some(*value),
        _ => None,
    }
}

fn convert(literal: &Literal, to: &DataType) -> Option<Literal> {
    match (literal, to) {
        (Literal::Null(_), _) => Some(Literal::Null(to.clone())),
        (Literal::Decimal128 { value, scale, .. }, DataType::Decimal128(precision, to_scale)) if to_scale >= scale => {
            let factor = 10i128.checked_pow((to_scale - scale) as u32)?;
            Some(Literal::Decimal128 { value: value.checked_mul(factor)?, precision: *precision, scale: *to_scale })
        }
        (Literal::Decimal128 { value, scale, .. }, DataType::Float64) => {
            Some(Literal::Float64(format!("{value}e-{scale}").parse().ok()?))
        }
        _ => convert_whole(whole(literal)?, to),
    }
}

fn convert_whole(value: i64, to: &DataType) -> Option<Literal> {
    match to {
        DataType::Int8 => value.try_into().ok().map(Literal::Int8),
        DataType::Int16 => value.try_into().ok().map(Literal::Int16),
        DataType::Int32 => value.try_into().ok().map(Literal::Int32),
        DataType::Int64 => Some(Literal::Int64(value)),
        DataType::Float32 => Some(Literal::Float32(value as f32)),
        DataType::Float64 => Some(Literal::Float64(value as f64)),
        DataType::Decimal128(precision, scale) => {
            let value = i128::from(value).checked_mul(10i128.checked_pow(u32::try_from(*scale).ok()?)?)?;
            Some(Literal::Decimal128 { value, precision: *precision, scale: *scale })
        }
        _ => None,
    }
}

/// Expressions brought to one type; otherwise two types that do not meet.
pub(crate) type Unified = Result<(Vec<Typed>, DataType), (DataType, DataType)>;

/// Brings expressions to the type in which they meet. Of FLOAT and DOUBLE that is the first.
pub(crate) fn unify(values: Vec<Typed>) -> Unified {
    let common = meeting(&values)?;
    Ok((values.into_iter().map(|value| value.widened(&common)).collect(), common))
}

/// Brings a function's arguments to the one type that all go into. Of FLOAT and DOUBLE that is DOUBLE.
pub(crate) fn unify_arguments(values: Vec<Typed>) -> Unified {
    let common = values.iter().fold(meeting(&values)?, |common, value| types::widest(&common, &value.data_type));
    Ok((values.into_iter().map(|value| value.widened(&common)).collect(), common))
}

fn meeting(values: &[Typed]) -> Result<DataType, (DataType, DataType)> {
    values.iter().try_fold(DataType::Null, |common, value| {
        types::common(&common, &value.data_type).ok_or_else(|| (common, value.data_type.clone()))
    })
}
