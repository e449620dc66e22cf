//! Calls of aggregates: which there are, what they take and what type they give.

use arrow_schema::DataType;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Select, Spanned, Value,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AggregateFunction, Expression};

use super::subquery::visit_outside_subqueries;
use crate::bind::{Binder, Typed, aggregate_function, is_aggregate};
use crate::error::{Result, SqlError};
use crate::types;

pub(super) struct BoundCall {
    pub function: AggregateFunction,
    pub argument: Option<Typed>,
    pub distinct: bool,
    pub filter: Option<Typed>,
    /// What the engine gives.
    pub computed: DataType,
    /// What Flink gives.
    pub returns: DataType,
    pub name: String,
}

impl BoundCall {
    /// Whether one of the two need not be computed.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.function == other.function
            && self.argument == other.argument
            && self.distinct == other.distinct
            && self.filter == other.filter
    }
}

impl BoundCall {
    /// Whether the result is a number also where there are no rows, and never NULL.
    pub(super) fn counts(&self) -> bool {
        matches!(self.function, AggregateFunction::Count | AggregateFunction::ApproxCountDistinct)
    }

    /// Refuses what cannot be computed of rows that are taken back.
    pub(super) fn check_input(&self, only_grows: bool, span: Span) -> Result<()> {
        if only_grows || self.function != AggregateFunction::ApproxCountDistinct {
            return Ok(());
        }
        let message = "APPROX_COUNT_DISTINCT cannot forget rows that are taken back";
        Err(SqlError::new(span, message, "use COUNT(DISTINCT x)"))
    }
}

/// The aggregate calls of SELECT and HAVING, in the order of the text.
pub(super) fn calls_in(select: &Select) -> Vec<Function> {
    let mut calls = Vec::new();
    let mut note = |expression: &Expr| {
        if let Expr::Function(function) = expression
            && is_aggregate(expression)
        {
            calls.push(function.clone());
        }
    };
    visit_outside_subqueries(&select.projection, &mut note);
    visit_outside_subqueries(&select.having, &mut note);
    visit_outside_subqueries(&select.qualify, &mut note);
    calls
}

pub(super) fn bind_call(function: Function, binder: Binder<'_>) -> Result<BoundCall> {
    let span = function.name.span();
    let Some(kind) = aggregate_function(&function) else {
        return Err(SqlError::new(
            span,
            format!("{} is no aggregate", function.name),
            "see the list of aggregates in the documentation",
        ));
    };
    let (function, kind) = without_separator(function, kind)?;
    let argument = bind_argument(&function, &kind, binder, span)?;
    let filter = function.filter.as_deref().map(|filter| binder.condition(filter, "FILTER")).transpose()?;
    if function.null_treatment.is_some() || !function.within_group.is_empty() {
        return Err(SqlError::new(span, "the aggregate has a clause that is not supported", "only FILTER is"));
    }
    let name = function.to_string();
    let (argument, computed, returns) = result_types(&kind, &function.name.to_string(), argument, span)?;
    // The least and the greatest are the same with and without what is there twice.
    let distinct = is_distinct(&function) && !ignores_repetition(&kind);
    Ok(BoundCall { function: kind, argument, distinct, filter, computed, returns, name })
}

fn ignores_repetition(kind: &AggregateFunction) -> bool {
    use AggregateFunction::{ApproxCountDistinct, FirstValue, Max, Min};
    matches!(kind, Min | Max | FirstValue | ApproxCountDistinct)
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list)
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// Takes the separator out of the arguments of LISTAGG.
fn without_separator(mut function: Function, kind: AggregateFunction) -> Result<(Function, AggregateFunction)> {
    let (FunctionArguments::List(list), AggregateFunction::ListAgg { .. }) = (&mut function.args, &kind) else {
        return Ok((function, kind));
    };
    if list.args.len() != 2 {
        return Ok((function, kind));
    }
    match list.args.pop() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) => match value.value {
            Value::SingleQuotedString(separator) => Ok((function, AggregateFunction::ListAgg { separator })),
            other => Err(separator_refused(&other.to_string(), value.span)),
        },
        other => {
            Err(separator_refused(&other.map(|other| other.to_string()).unwrap_or_default(), function.name.span()))
        }
    }
}

fn separator_refused(found: &str, span: Span) -> SqlError {
    let message = format!("the separator of LISTAGG must be a string but is {found}");
    SqlError::new(span, message, "write such as LISTAGG(name, '; ')")
}

/// None for `COUNT(*)`.
fn bind_argument(
    function: &Function,
    kind: &AggregateFunction,
    binder: Binder<'_>,
    span: Span,
) -> Result<Option<Typed>> {
    let FunctionArguments::List(list) = &function.args else {
        return Err(SqlError::new(span, "the aggregate has no arguments", "write such as COUNT(*) or SUM(price)"));
    };
    if !list.clauses.is_empty() {
        return Err(SqlError::new(
            span,
            "clauses in an aggregate's parentheses are not supported",
            "only FILTER after it is",
        ));
    }
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if *kind == AggregateFunction::Count => Ok(None),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))] => {
            let argument = binder.bind(expression)?;
            let counts_all = *kind == AggregateFunction::Count
                && !is_distinct(function)
                && matches!(argument.expression, Expression::Literal(_));
            Ok(Some(argument).filter(|argument| !counts_all || argument.nullable))
        }
        _ => Err(SqlError::new(
            span,
            format!("{function} does not have one argument"),
            "give it one column or expression",
        )),
    }
}

/// The argument as the engine takes it, the type that the engine gives, and Flink's.
fn result_types(
    kind: &AggregateFunction,
    name: &str,
    argument: Option<Typed>,
    span: Span,
) -> Result<(Option<Typed>, DataType, DataType)> {
    let Some(argument) = argument else {
        return Ok((None, DataType::Int64, DataType::Int64));
    };
    let from = argument.data_type.clone();
    let undefined = || {
        let message = format!("{} is not defined for {}", name.to_uppercase(), types::name(&from));
        SqlError::new(span, message, "CAST the argument")
    };
    match kind {
        AggregateFunction::Count => Ok((Some(argument), DataType::Int64, DataType::Int64)),
        AggregateFunction::Min | AggregateFunction::Max => match from {
            DataType::Binary | DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), from.clone(), from)),
        },
        AggregateFunction::Sum | AggregateFunction::Avg => match &from {
            whole if types::is_whole(whole) => Ok((Some(argument.widened(&DataType::Int64)), DataType::Int64, from)),
            number if types::is_approximate(number) => {
                Ok((Some(argument.widened(&DataType::Float64)), DataType::Float64, from))
            }
            DataType::Decimal128(_, scale) => {
                let returned = if *kind == AggregateFunction::Avg { (*scale).max(6) } else { *scale };
                let returns = DataType::Decimal128(38, returned);
                Ok((Some(argument.widened(&DataType::Decimal128(38, *scale))), returns.clone(), returns))
            }
            _ => Err(undefined()),
        },
        // Computed in DOUBLE. As for AVG, the result is of the argument's type, DECIMALs with at least 6 digits.
        AggregateFunction::StddevPop
        | AggregateFunction::StddevSamp
        | AggregateFunction::VarPop
        | AggregateFunction::VarSamp => {
            let returns = match &from {
                number if types::is_whole(number) || types::is_approximate(number) => from,
                DataType::Decimal128(_, scale) => DataType::Decimal128(38, (*scale).max(6)),
                _ => return Err(undefined()),
            };
            Ok((Some(argument.widened(&DataType::Float64)), DataType::Float64, returns))
        }
        AggregateFunction::FirstValue | AggregateFunction::LastValue => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), from.clone(), from)),
        },
        AggregateFunction::ListAgg { .. } => match from {
            DataType::Utf8 => Ok((Some(argument), DataType::Utf8, DataType::Utf8)),
            _ => Err(undefined()),
        },
        AggregateFunction::Collect => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), types::multiset(from.clone()), types::multiset(from))),
        },
        AggregateFunction::ApproxCountDistinct => match from {
            DataType::Interval(_) | DataType::Null => Err(undefined()),
            _ => Ok((Some(argument), DataType::Int64, DataType::Int64)),
        },
        AggregateFunction::Lag { .. } | AggregateFunction::RowNumber => Err(undefined()),
    }
}
