//! Calls of aggregates: which there are, what they take and what type they give.

use arrow_schema::DataType;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, NullTreatment, Select,
    Spanned, Value,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::JSON_OF_MEMBERS;
use tidemill_plan::{AggregateFunction, BinaryOperator, Expression};

use super::call_types::result_types;
use super::subquery::visit_outside_subqueries;
use crate::bind::{
    Binder, JSON_ARRAYAGG, JSON_OBJECTAGG, Typed, aggregate_function, binary, is_aggregate, json_element, json_member,
    positional,
};
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
    json: Option<JsonOf>,
}

/// What JSON is made of the engine's result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonOf {
    /// An array of the elements, which are a list with commas.
    Elements,
    /// An object of a MULTISET of members.
    Members,
}

impl JsonOf {
    fn call(function: &Function) -> Option<Self> {
        match function.name.to_string().to_ascii_lowercase().as_str() {
            JSON_ARRAYAGG => Some(Self::Elements),
            JSON_OBJECTAGG => Some(Self::Members),
            _ => None,
        }
    }
}

impl BoundCall {
    /// A call without clauses whose result is what the engine gives.
    pub(super) fn plain(
        kind: AggregateFunction,
        argument: Option<Typed>,
        data_type: DataType,
        written: &Function,
    ) -> Self {
        Self {
            function: kind,
            argument,
            distinct: false,
            filter: None,
            computed: data_type.clone(),
            returns: data_type,
            name: written.to_string(),
            json: None,
        }
    }

    /// Whether one of the two need not be computed.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.function == other.function
            && self.argument == other.argument
            && self.distinct == other.distinct
            && self.filter == other.filter
    }

    /// Whether the result is a number also where there are no rows, and never NULL.
    pub(super) fn counts(&self) -> bool {
        matches!(self.function, AggregateFunction::Count | AggregateFunction::ApproxCountDistinct)
    }

    /// Refuses what is computed for groups only.
    pub(super) fn refuse_alone(&self, span: Span) -> Result<()> {
        use AggregateFunction::{ArrayAgg, Percentile};
        if self.json.is_none() && !matches!(self.function, ArrayAgg | Percentile { .. }) {
            return Ok(());
        }
        let name = self.name.split('(').next().unwrap_or_default();
        let message = format!("{name} cannot be computed OVER rows or in a pattern");
        Err(SqlError::new(span, message, "use GROUP BY, and join the result"))
    }

    /// What Flink gives, of what the engine does.
    pub(super) fn finished(&self, computed: Typed) -> Typed {
        match self.json {
            None => return computed.widened(&self.returns),
            Some(JsonOf::Members) => return Typed::call(JSON_OF_MEMBERS, vec![computed], DataType::Utf8, false),
            Some(JsonOf::Elements) => {}
        }
        let nothing = (Expression::IsNull(Box::new(computed.expression.clone())), Typed::text("").expression);
        let list = Expression::Case { branches: vec![nothing], otherwise: Some(computed.boxed()) };
        let parts = [Typed::text("[").expression, list, Typed::text("]").expression];
        Typed::call("concat", parts.map(|part| Typed::new(part, DataType::Utf8, false)).into(), DataType::Utf8, false)
    }

    /// Refuses what cannot be computed of rows that are taken back.
    pub(super) fn check_input(&self, only_grows: bool, span: Span) -> Result<()> {
        use AggregateFunction::{ApproxCountDistinct, FirstValue, LastValue};
        let nested = self.argument.as_ref().is_some_and(|argument| types::is_nested(&argument.data_type));
        let (what, remedy) = match self.function {
            _ if only_grows => return Ok(()),
            ApproxCountDistinct => ("APPROX_COUNT_DISTINCT", "use COUNT(DISTINCT x)"),
            FirstValue | LastValue if nested => (self.name.as_str(), "aggregate the parts of the value"),
            _ => return Ok(()),
        };
        Err(SqlError::new(span, format!("{what} cannot forget rows that are taken back"), remedy))
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
    let (function, kind) = without_fraction(without_separator(function, kind)?)?;
    let json = JsonOf::call(&function);
    let argument = match (json, positional(&function).as_deref()) {
        (Some(JsonOf::Elements), Ok([element])) => Some(json_element(&binder, &function, element)?),
        (Some(JsonOf::Members), Ok([name, value])) => Some(json_member(&binder, &function, name, value)?),
        _ => bind_argument(&function, &kind, binder, span)?,
    };
    let mut filter = function.filter.as_deref().map(|filter| binder.condition(filter, "FILTER")).transpose()?;
    if kind == AggregateFunction::ArrayAgg {
        filter = without_nulls(&function, argument.as_ref(), filter, span)?;
    } else if function.null_treatment.is_some() || !function.within_group.is_empty() {
        return Err(SqlError::new(span, "the aggregate has a clause that is not supported", "only FILTER is"));
    }
    let name = function.to_string();
    let (argument, computed, returns) = result_types(&kind, &function.name.to_string(), argument, span)?;
    // The least and the greatest are the same with and without what is there twice.
    let distinct = is_distinct(&function) && !ignores_repetition(&kind);
    Ok(BoundCall { function: kind, argument, distinct, filter, computed, returns, name, json })
}

/// The filter of an ARRAY_AGG, which takes NULLs in unless it is told not to.
fn without_nulls(
    function: &Function,
    argument: Option<&Typed>,
    filter: Option<Typed>,
    span: Span,
) -> Result<Option<Typed>> {
    let ignores = matches!(function.null_treatment, Some(NullTreatment::IgnoreNulls));
    let Some(argument) = argument.filter(|_| ignores) else {
        if is_distinct(function) && argument.is_some_and(|argument| argument.nullable) {
            let message = "ARRAY_AGG(DISTINCT …) with NULLs is not supported";
            return Err(SqlError::new(span, message, "write IGNORE NULLS behind it"));
        }
        return Ok(filter);
    };
    let is_value = Expression::Not(Box::new(Expression::IsNull(Box::new(argument.expression.clone()))));
    let is_value = Typed::boolean(is_value, false);
    Ok(Some(match filter {
        Some(filter) => {
            Typed::boolean(binary(filter.expression, BinaryOperator::And, is_value.expression), filter.nullable)
        }
        None => is_value,
    }))
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

/// Takes the fraction out of the arguments of PERCENTILE.
fn without_fraction((mut function, kind): (Function, AggregateFunction)) -> Result<(Function, AggregateFunction)> {
    let (FunctionArguments::List(list), AggregateFunction::Percentile { .. }) = (&mut function.args, &kind) else {
        return Ok((function, kind));
    };
    let refused = |span| {
        let message = "PERCENTILE takes a number and a constant fraction from 0 to 1";
        SqlError::new(span, message, "write such as PERCENTILE(price, 0.5), once for each fraction")
    };
    let (2, Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))))) = (list.args.len(), list.args.pop())
    else {
        return Err(refused(function.name.span()));
    };
    match &value.value {
        Value::Number(number, _) => match number.parse::<f64>() {
            Ok(fraction) if (0.0..=1.0).contains(&fraction) => {
                Ok((function, AggregateFunction::Percentile { fraction }))
            }
            _ => Err(refused(value.span)),
        },
        _ => Err(refused(value.span)),
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
