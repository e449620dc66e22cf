//! MATCH_RECOGNIZE: a pattern of rows in the order of time, and what is told of each match.
//!
//! What Flink does not take is refused: ALL ROWS PER MATCH, alternation, PERMUTE, exclusion, anchors, quantified groups.
//! WITHIN comes as a definition of its own ([`crate::tokens::WITHIN`]).

mod rows;
mod sequence;

use sqlparser::ast::{
    AfterMatchSkip, Expr, Ident, MatchRecognizePattern, Measure as WrittenMeasure, OrderByExpr, RowsPerMatch, Spanned,
    SymbolDefinition, TableFactor,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AfterMatch, Clock, Expression, MatchRecognize, Measure, NodeKind, SortKey, Variable};

use crate::bind::{Scope, interval_ms};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
use crate::tokens::WITHIN;
use rows::{Rows, Stands};
use sequence::Sequence;

/// The clauses as they are written.
pub(super) struct Written<'a> {
    partition_by: &'a [Expr],
    order_by: &'a [OrderByExpr],
    measures: &'a [WrittenMeasure],
    rows_per_match: Option<&'a RowsPerMatch>,
    after_match: Option<&'a AfterMatchSkip>,
    pattern: &'a MatchRecognizePattern,
    definitions: &'a [SymbolDefinition],
    span: Span,
}

impl<'a> Written<'a> {
    /// None for anything but a MATCH_RECOGNIZE.
    pub(super) fn of(factor: &'a TableFactor) -> Option<Self> {
        let TableFactor::MatchRecognize {
            table,
            partition_by,
            order_by,
            measures,
            rows_per_match,
            after_match_skip,
            pattern,
            symbols,
            alias: _,
        } = factor
        else {
            return None;
        };
        Some(Self {
            partition_by,
            order_by,
            measures,
            rows_per_match: rows_per_match.as_ref(),
            after_match: after_match_skip.as_ref(),
            pattern,
            definitions: symbols,
            span: table.span(),
        })
    }
}

/// The order in which rows are looked at.
struct Order {
    time: usize,
    clock: Clock,
    then: Vec<SortKey>,
}

pub(super) fn matched(relation: Relation, written: &Written<'_>) -> Result<Relation> {
    let span = written.span;
    if !relation.only_grows() {
        let message = "patterns cannot be found in rows that may be taken back";
        return Err(SqlError::new(span, message, "find them before rows are aggregated or joined"));
    }
    if let Some(RowsPerMatch::AllRows(_)) = written.rows_per_match {
        return Err(SqlError::new(span, "ALL ROWS PER MATCH is not supported", "write ONE ROW PER MATCH"));
    }
    let scope = Scope::of(&relation, None);
    let partition = written.partition_by.iter().map(|key| column(key, &scope)).collect::<Result<Vec<_>>>()?;
    let order = order(written, &relation, &scope)?;
    let Sequence { pattern, names } = sequence::of(written.pattern, span)?;
    let (within, definitions): (Vec<_>, Vec<_>) =
        written.definitions.iter().partition(|definition| is_within(&definition.symbol));
    let time = (order.time, order.clock);
    let rows = |stands| Rows { scope: &scope, names: &names, fields: &relation.fields, time, stands };
    let variables = variables(&names, &definitions, &rows(Stands::InDefine))?;
    let (measures, measured) = measures(written.measures, &rows(Stands::InMeasures))?;
    let after_match = after_match(written.after_match, &names, &pattern)?;
    let within_ms = within.first().map(|within| length(within)).transpose()?;
    let fields = partition.iter().map(|key| relation.fields[*key].timeless()).chain(measured).collect();
    let Order { time: time_column, clock, then } = order;
    let kind = NodeKind::MatchRecognize(MatchRecognize {
        partition,
        time_column,
        clock,
        then,
        variables,
        pattern,
        measures,
        after_match,
        within_ms,
    });
    Ok(Relation::operator(kind, vec![relation], fields))
}

fn is_within(symbol: &Ident) -> bool {
    symbol.value == WITHIN && symbol.quote_style.is_none()
}

fn length(within: &SymbolDefinition) -> Result<i64> {
    match interval_ms(&within.definition)? {
        length @ 1.. => Ok(length),
        _ => {
            Err(SqlError::new(within.definition.span(), "the time WITHIN must be above zero", "give a longer interval"))
        }
    }
}

fn column(expression: &Expr, scope: &Scope) -> Result<usize> {
    let found = match expression {
        Expr::Identifier(name) => Some(scope.resolve(std::slice::from_ref(name))?),
        _ => None,
    };
    match found.map(|(typed, _)| typed.expression) {
        Some(Expression::Column(place)) => Ok(place),
        _ => {
            let message = format!("`{expression}` is not a column of the table");
            Err(SqlError::new(expression.span(), message, "name a column, and compute it in a view if need be"))
        }
    }
}

fn order(written: &Written<'_>, relation: &Relation, scope: &Scope) -> Result<Order> {
    let Some((first, then)) = written.order_by.split_first() else {
        let remedy = "write ORDER BY and the column that the table's WATERMARK is for";
        return Err(SqlError::new(written.span, "MATCH_RECOGNIZE needs an ORDER BY", remedy));
    };
    let time = column(&first.expr, scope)?;
    let Some(clock) = relation.fields[time].role.clock() else {
        let message = format!("the order must begin with a time attribute and `{}` is none", first.expr);
        let remedy = "use the column that the table's WATERMARK is for, unchanged by the query";
        return Err(SqlError::new(first.expr.span(), message, remedy));
    };
    if first.options.asc == Some(false) {
        return Err(SqlError::new(first.expr.span(), "time is ordered upwards only", "remove DESC"));
    }
    let key = |key: &OrderByExpr| {
        let descending = key.options.asc == Some(false);
        let nulls_first = key.options.nulls_first.unwrap_or(!descending);
        Ok(SortKey { column: column(&key.expr, scope)?, descending, nulls_first })
    };
    Ok(Order { time, clock, then: then.iter().map(key).collect::<Result<_>>()? })
}

fn variables(names: &[Ident], definitions: &[&SymbolDefinition], rows: &Rows<'_>) -> Result<Vec<Variable>> {
    for (place, definition) in definitions.iter().enumerate() {
        let name = &definition.symbol;
        if !names.iter().any(|known| known.value == name.value) {
            let message = format!("the pattern has no variable `{}`", name.value);
            return Err(SqlError::new(name.span, message, "define variables of PATTERN"));
        }
        if definitions[..place].iter().any(|before| before.symbol.value == name.value) {
            let message = format!("the variable `{}` is defined twice", name.value);
            return Err(SqlError::new(name.span, message, "join the conditions with AND"));
        }
    }
    let variable = |name: &Ident| {
        let definition = definitions.iter().find(|definition| definition.symbol.value == name.value);
        let condition = definition.map(|definition| rows.condition(&definition.definition)).transpose()?;
        Ok(Variable { name: name.value.clone(), condition })
    };
    names.iter().map(variable).collect()
}

fn measures(written: &[WrittenMeasure], rows: &Rows<'_>) -> Result<(Vec<Measure>, Vec<Field>)> {
    let mut measures = Vec::with_capacity(written.len());
    let mut fields: Vec<Field> = Vec::with_capacity(written.len());
    for WrittenMeasure { expr, alias } in written {
        if fields.iter().any(|field| field.name == alias.value) {
            let message = format!("there are two measures `{}`", alias.value);
            return Err(SqlError::new(alias.span, message, "give them different names"));
        }
        let (value, data_type, role) = rows.measure(expr)?;
        fields.push(Field { role, ..Field::plain(&alias.value, data_type, role == Role::Plain) });
        measures.push(Measure { name: alias.value.clone(), value });
    }
    Ok((measures, fields))
}

fn after_match(
    written: Option<&AfterMatchSkip>,
    names: &[Ident],
    pattern: &tidemill_plan::Pattern,
) -> Result<AfterMatch> {
    let place = |name: &Ident| {
        names.iter().position(|known| known.value == name.value).ok_or_else(|| {
            let message = format!("the pattern has no variable `{}`", name.value);
            SqlError::new(name.span, message, "skip to a variable of PATTERN")
        })
    };
    let endless = |name: &Ident| {
        let message = format!("`{}` is where the match begins, so it would be found again and again", name.value);
        Err(SqlError::new(name.span, message, "skip to a later variable, or TO NEXT ROW"))
    };
    match written {
        None | Some(AfterMatchSkip::PastLastRow) => Ok(AfterMatch::PastLastRow),
        Some(AfterMatchSkip::ToNextRow) => Ok(AfterMatch::ToNextRow),
        Some(AfterMatchSkip::ToFirst(name)) if place(name)? == 0 => endless(name),
        Some(AfterMatchSkip::ToLast(name)) if place(name)? == 0 && sequence::begins_with_one_row(pattern) => {
            endless(name)
        }
        Some(AfterMatchSkip::ToFirst(name)) => place(name).map(AfterMatch::ToFirst),
        Some(AfterMatchSkip::ToLast(name)) => place(name).map(AfterMatch::ToLast),
    }
}
