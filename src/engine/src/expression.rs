//! Turns the plan's expressions into DataFusion's physical ones, which evaluate a whole batch at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema};
use datafusion_common::DataFusionError;
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{Operator, ScalarUDF};
use datafusion_physical_expr::expressions::{
    BinaryExpr, Column, IsNullExpr, LikeExpr, NegativeExpr, NotExpr, case, cast, in_list, lit, try_cast,
};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::functions::casts;
use tidemill_plan::{BinaryOperator, Expression, Literal};

use crate::cast::Cast;
use crate::function::{NoFunctions, UserFunctions};
use crate::nested::{self, Nested, Operation};
use crate::required::Required;
use crate::user_call::UserCall;

static FUNCTIONS: LazyLock<BTreeMap<String, Arc<ScalarUDF>>> =
    LazyLock::new(tidemill_plan::functions::scalar_functions);

/// An expression that is ready to be evaluated against batches of one schema.
#[derive(Clone, Debug)]
pub struct Evaluator {
    physical: Arc<dyn PhysicalExpr>,
}

/// Why an expression of a plan cannot be run. It means that planner and engine are of different releases.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("column {0} is not among the input's columns")]
    UnknownColumn(usize),
    #[error("the function `{0}` is unknown to this engine")]
    UnknownFunction(String),
    #[error("a LIKE escape character other than `\\` is not supported")]
    Escape,
    #[error(transparent)]
    UserFunction(#[from] Problem),
    #[error("failed to build an expression")]
    Build(#[from] DataFusionError),
}

impl Evaluator {
    /// An expression that calls no functions of the user's.
    pub fn new(expression: &Expression, input: &Schema) -> Result<Self, BuildError> {
        Self::with_functions(expression, input, &NoFunctions)
    }

    pub fn with_functions(
        expression: &Expression,
        input: &Schema,
        functions: &dyn UserFunctions,
    ) -> Result<Self, BuildError> {
        Ok(Self { physical: build(expression, &Input { schema: input, functions })? })
    }

    #[cfg(test)]
    pub fn physical(&self) -> &Arc<dyn PhysicalExpr> {
        &self.physical
    }

    /// The expression's value for every row. A fault of the data (a division by zero, a bad cast) is the user's to
    /// mend; `operator` names where it happened.
    pub fn evaluate(&self, rows: &RecordBatch, operator: &str) -> Result<ArrayRef, Problem> {
        self.physical
            .evaluate(rows)
            .and_then(|value| value.into_array(rows.num_rows()))
            .map_err(|error| failed(operator, &self.physical, &error))
    }
}

/// What an expression is about.
#[derive(Clone, Copy)]
struct Input<'a> {
    schema: &'a Schema,
    functions: &'a dyn UserFunctions,
}

fn failed(operator: &str, physical: &Arc<dyn PhysicalExpr>, error: &DataFusionError) -> Problem {
    if let Some(problem) = of_function(error) {
        return Problem { object: operator.to_string(), ..problem.clone() };
    }
    Problem {
        kind: ProblemKind::ExpressionFailed,
        object: operator.to_string(),
        message: match error {
            DataFusionError::Execution(message) if physical.is::<Required>() => message.clone(),
            error => format!("failed to evaluate `{physical}`: {}", error.strip_backtrace()),
        },
        remedy: "guard the expression in SQL, for example with CASE, NULLIF, TRY_CAST or WHERE".to_string(),
    }
}

/// What a function of the user's said.
fn of_function(error: &DataFusionError) -> Option<&Problem> {
    match error.find_root() {
        DataFusionError::External(fault) => fault.downcast_ref(),
        _ => None,
    }
}

fn build(expression: &Expression, of: &Input<'_>) -> Result<Arc<dyn PhysicalExpr>, BuildError> {
    let input = of.schema;
    let build = |inner: &Expression| build(inner, of);
    Ok(match expression {
        Expression::Column(place) => {
            let field = input.fields().get(*place).ok_or(BuildError::UnknownColumn(*place))?;
            Arc::new(Column::new(field.name(), *place))
        }
        Expression::Literal(value) => lit(scalar(value)),
        Expression::Binary { left, operator, right } => {
            Arc::new(BinaryExpr::new(build(left)?, binary(*operator), build(right)?))
        }
        Expression::Not(inner) => Arc::new(NotExpr::new(build(inner)?)),
        Expression::Negative(inner) => Arc::new(NegativeExpr::new(build(inner)?)),
        Expression::IsNull(inner) => Arc::new(IsNullExpr::new(build(inner)?)),
        Expression::IsTrue(inner) => is_not_distinct_from(build(inner)?, true),
        Expression::IsFalse(inner) => is_not_distinct_from(build(inner)?, false),
        Expression::Cast { expression, to, or_null } => {
            let inner = build(expression)?;
            // Casts whose rules are not Arrow's.
            match (casts::is_flinks(&inner.data_type(input)?, to), *or_null) {
                (true, or_null) => Arc::new(Cast::new(inner, to.clone(), or_null)),
                (false, false) => cast(inner, input, to.clone())?,
                (false, true) => try_cast(inner, input, to.clone())?,
            }
        }
        Expression::Case { branches, otherwise } => {
            let mut when_then = Vec::with_capacity(branches.len());
            for (when, then) in branches {
                when_then.push((build(when)?, build(then)?));
            }
            case(None, when_then, otherwise.as_deref().map(build).transpose()?)?
        }
        Expression::InList { expression, list, negated } => {
            let list = list.iter().map(build).collect::<Result<_, _>>()?;
            in_list(build(expression)?, list, negated, input)?
        }
        Expression::Like { escape: Some(escape), .. } if *escape != '\\' => return Err(BuildError::Escape),
        Expression::Like { expression, pattern, negated, escape: _ } => {
            Arc::new(LikeExpr::new(*negated, false, build(expression)?, build(pattern)?))
        }
        Expression::Required { expression, column } => Arc::new(Required::new(build(expression)?, column.clone())),
        Expression::Field { expression, place } => {
            let row = build(expression)?;
            let returns = match row.data_type(input)? {
                DataType::Struct(fields) if *place < fields.len() => fields[*place].data_type().clone(),
                _ => return Err(BuildError::UnknownColumn(*place)),
            };
            Arc::new(Nested::new(Operation::Field(*place), vec![row], returns))
        }
        Expression::Element { expression, index } => {
            let nested = build(expression)?;
            let returns = nested::element_type(&nested.data_type(input)?)?;
            Arc::new(Nested::new(Operation::Element, vec![nested, build(index)?], returns))
        }
        Expression::Cardinality(inner) => {
            Arc::new(Nested::new(Operation::Cardinality, vec![build(inner)?], DataType::Int32))
        }
        Expression::Construct { of, parts } => {
            let parts = parts.iter().map(build).collect::<Result<_, _>>()?;
            Arc::new(Nested::new(Operation::Construct, parts, of.clone()))
        }
        Expression::Call { function, arguments, returns } => {
            let implementation =
                FUNCTIONS.get(function).ok_or_else(|| BuildError::UnknownFunction(function.clone()))?;
            let arguments = arguments.iter().map(build).collect::<Result<_, _>>()?;
            let field = Arc::new(Field::new(function, returns.clone(), true));
            let options = Arc::new(ConfigOptions::default());
            Arc::new(ScalarFunctionExpr::new(function, implementation.clone(), arguments, field, options))
        }
        Expression::UserCall { function, arguments, returns } => {
            let arguments = arguments.iter().map(build).collect::<Result<_, _>>()?;
            let found = of.functions.find(function)?;
            Arc::new(UserCall::new(function.clone(), found, arguments, returns.clone()))
        }
    })
}

fn is_not_distinct_from(inner: Arc<dyn PhysicalExpr>, value: bool) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(inner, Operator::IsNotDistinctFrom, lit(value)))
}

fn binary(operator: BinaryOperator) -> Operator {
    match operator {
        BinaryOperator::Equal => Operator::Eq,
        BinaryOperator::NotEqual => Operator::NotEq,
        BinaryOperator::Less => Operator::Lt,
        BinaryOperator::LessOrEqual => Operator::LtEq,
        BinaryOperator::Greater => Operator::Gt,
        BinaryOperator::GreaterOrEqual => Operator::GtEq,
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        BinaryOperator::Modulo => Operator::Modulo,
        BinaryOperator::Concat => Operator::StringConcat,
    }
}

fn scalar(value: &Literal) -> ScalarValue {
    match value {
        Literal::Null(data_type) => ScalarValue::try_from(data_type).unwrap_or(ScalarValue::Null),
        Literal::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Int8(value) => ScalarValue::Int8(Some(*value)),
        Literal::Int16(value) => ScalarValue::Int16(Some(*value)),
        Literal::Int32(value) => ScalarValue::Int32(Some(*value)),
        Literal::Int64(value) => ScalarValue::Int64(Some(*value)),
        Literal::Float32(value) => ScalarValue::Float32(Some(*value)),
        Literal::Float64(value) => ScalarValue::Float64(Some(*value)),
        Literal::Decimal128 { value, precision, scale } => ScalarValue::Decimal128(Some(*value), *precision, *scale),
        Literal::Utf8(value) => ScalarValue::Utf8(Some(value.clone())),
        Literal::Binary(value) => ScalarValue::Binary(Some(value.clone())),
        Literal::Date32(value) => ScalarValue::Date32(Some(*value)),
        Literal::Time32Millis(value) => ScalarValue::Time32Millisecond(Some(*value)),
        Literal::TimestampMillis { value, zone } => {
            ScalarValue::TimestampMillisecond(Some(*value), zone.as_deref().map(Into::into))
        }
        Literal::Interval { months, days, nanoseconds } => {
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(*months, *days, *nanoseconds)))
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::cast::AsArray;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![Some(6), Some(0), None])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec!["x", "Yz", ""])) as ArrayRef),
        ])
        .unwrap()
    }

    fn divide(divisor: Expression) -> Expression {
        Expression::Binary {
            left: Box::new(Expression::Literal(Literal::Int64(12))),
            operator: BinaryOperator::Divide,
            right: Box::new(divisor),
        }
    }

    #[test]
    fn a_function_of_the_registry_is_called() {
        let call = Expression::Call {
            function: "upper".into(),
            arguments: vec![Expression::Column(1)],
            returns: DataType::Utf8,
        };
        let value = Evaluator::new(&call, &rows().schema()).unwrap().evaluate(&rows(), "calc").unwrap();
        assert_eq!(value.as_string::<i32>(), &StringArray::from(vec!["X", "YZ", ""]));
    }

    #[test]
    fn a_constant_is_spread_over_all_rows() {
        let value = Evaluator::new(&divide(Expression::Literal(Literal::Int64(3))), &rows().schema()).unwrap();
        assert_eq!(value.evaluate(&rows(), "calc").unwrap().as_primitive::<Int64Type>().values(), &[4, 4, 4]);
    }

    #[test]
    fn a_fault_of_the_data_names_the_operator_and_the_remedy() {
        let problem = Evaluator::new(&divide(Expression::Column(0)), &rows().schema())
            .unwrap()
            .evaluate(&rows(), "calc-1")
            .unwrap_err();
        assert_eq!((problem.kind, problem.object.as_str()), (ProblemKind::ExpressionFailed, "calc-1"));
        assert!(problem.message.contains("Divide by zero"), "{}", problem.message);
    }

    #[test]
    fn a_function_of_a_later_release_is_refused() {
        let call = Expression::Call { function: "later".into(), arguments: vec![], returns: DataType::Utf8 };
        assert!(matches!(Evaluator::new(&call, &rows().schema()), Err(BuildError::UnknownFunction(_))));
    }
}
