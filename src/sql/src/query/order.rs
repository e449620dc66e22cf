//! ORDER BY and LIMIT: a stream is sorted by its time, or its first rows in an order are kept.

use std::borrow::Cow;

use sqlparser::ast::{Expr, LimitClause, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, Spanned, Value};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Limit, NodeKind, Sort};

use super::frame::{Ordered, whole};
use super::slots::Slots;
use super::{Planner, rank};
use crate::bind::{Binder, Scope};
use crate::error::{Result, SqlError};
use crate::relation::{Relation, Role};

/// How many rows are kept, and after how many.
#[derive(Clone, Copy)]
struct Bounds {
    offset: u64,
    count: u64,
}

impl Planner<'_> {
    /// The query's rows in its order, as far as its LIMIT lets them.
    pub(super) fn ordered(&self, query: &Query) -> Result<Relation> {
        let bounds = Bounds::of(query)?;
        let keys = keys(query)?;
        let Some(first) = keys.first() else {
            let relation = self.body(&query.body)?;
            return Ok(bounds.map_or(relation.clone(), |bounds| limited(relation, bounds)));
        };
        let span = first.expr.span();
        let relation = self.body(&query.body)?;
        let width = relation.fields.len();
        let (relation, keys) = self.with_keys(query, relation, &keys)?;
        let scope = Scope::of(&relation, None).with_functions(self.tables.functions());
        let keys = keys.iter().map(|key| Ordered::of(key, Binder::over(&scope))).collect::<Result<Vec<_>>>()?;
        let ordered = match bounds {
            Some(bounds) => first_in_order(relation, &keys, bounds),
            None => sorted(relation, &keys, span)?,
        };
        let all = ordered.fields.len();
        Ok(if all == width { ordered } else { ordered.picked(&(0..width).collect::<Vec<_>>()) })
    }

    /// The relation with the keys among its columns. Those that SELECT does not have come behind them.
    fn with_keys(
        &self,
        query: &Query,
        relation: Relation,
        keys: &[OrderByExpr],
    ) -> Result<(Relation, Vec<OrderByExpr>)> {
        let scope = Scope::of(&relation, None).with_functions(self.tables.functions());
        let mut select = match &*query.body {
            SetExpr::Select(select) => Cow::Borrowed(&**select),
            _ => {
                let keys = keys.iter().map(|key| numbered(key, &relation)).collect::<Result<_>>()?;
                return Ok((relation, keys));
            }
        };
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let key = numbered(key, &relation)?;
            if Binder::over(&scope).bind(&key.expr).is_ok() || select.distinct.is_some() {
                found.push(key);
                continue;
            }
            let name = sqlparser::ast::Ident::with_span(key.expr.span(), format!("ORDER BY {}", key.expr));
            select.to_mut().projection.push(SelectItem::ExprWithAlias { expr: key.expr.clone(), alias: name.clone() });
            found.push(OrderByExpr { expr: Expr::Identifier(name), ..key });
        }
        match select {
            Cow::Borrowed(_) => Ok((relation, found)),
            Cow::Owned(select) => Ok((self.select(&select)?, found)),
        }
    }
}

/// `ORDER BY 2` means the second column.
fn numbered(key: &OrderByExpr, relation: &Relation) -> Result<OrderByExpr> {
    let Expr::Value(value) = &key.expr else { return Ok(key.clone()) };
    let place = match &value.value {
        Value::Number(digits, false) => digits.parse::<usize>().ok(),
        _ => None,
    };
    let field = place.and_then(|place| relation.fields.get(place.checked_sub(1)?)).ok_or_else(|| {
        let message = format!("there is no column {value} to order by");
        SqlError::new(value.span, message, format!("use 1 to {}, or a column's name", relation.fields.len()))
    })?;
    let name = sqlparser::ast::Ident::with_span(value.span, field.name.clone());
    Ok(OrderByExpr { expr: Expr::Identifier(name), ..key.clone() })
}

fn keys(query: &Query) -> Result<Vec<OrderByExpr>> {
    let Some(order_by) = &query.order_by else { return Ok(Vec::new()) };
    match &order_by.kind {
        OrderByKind::Expressions(keys) if order_by.interpolate.is_none() => Ok(keys.clone()),
        _ => Err(SqlError::new(order_by.span(), "this form of ORDER BY is not supported", "name the columns")),
    }
}

impl Bounds {
    fn of(query: &Query) -> Result<Option<Self>> {
        let at = query.body.span();
        let (mut count, mut offset) = (None, None);
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset: after, limit_by }) if limit_by.is_empty() => {
                count = limit.as_ref();
                offset = after.as_ref().map(|after| &after.value);
            }
            Some(_) => return Err(SqlError::new(at, "this form of LIMIT is not supported", "write LIMIT n OFFSET m")),
        }
        if let Some(fetch) = &query.fetch {
            if fetch.with_ties || fetch.percent || count.is_some() {
                let message = "this form of FETCH is not supported";
                return Err(SqlError::new(at, message, "write FETCH FIRST n ROWS ONLY"));
            }
            let Some(quantity) = &fetch.quantity else { return Ok(Some(Self { offset: 0, count: 1 })) };
            count = Some(quantity);
        }
        let offset_rows = offset.map_or(Ok(0), |offset| whole(offset, "a number of rows"))?;
        match (count, offset) {
            (None, None) => Ok(None),
            (None, Some(offset)) => {
                let message = "OFFSET without LIMIT would keep all rows of a stream";
                Err(SqlError::new(offset.span(), message, "add LIMIT n"))
            }
            (Some(written), _) => match whole(written, "a number of rows")? {
                0 => Err(SqlError::new(written.span(), "LIMIT 0 keeps no row", "write a number above zero")),
                count => Ok(Some(Self { offset: offset_rows, count })),
            },
        }
    }
}

fn limited(relation: Relation, bounds: Bounds) -> Relation {
    let fields = relation.fields.clone();
    let limit = Limit { offset: bounds.offset, count: bounds.count };
    Relation::operator(NodeKind::Limit(limit), vec![relation], fields)
}

fn first_in_order(relation: Relation, keys: &[Ordered], bounds: Bounds) -> Relation {
    let mut slots = Slots::behind(&relation);
    let order = keys.iter().map(|key| key.key(&mut slots)).collect();
    let last = bounds.offset.saturating_add(bounds.count);
    rank::rank(slots.onto(relation), Vec::new(), order, (bounds.offset + 1, last), None)
}

/// Rows in the order of their time, which the watermark settles.
fn sorted(relation: Relation, keys: &[Ordered], span: Span) -> Result<Relation> {
    let first = &keys[0];
    let refused = |message: &str, remedy: &str| Err(SqlError::new(span, message, remedy));
    let Some(_) = first.role().clock() else {
        let message = "a stream has no end to sort by this";
        return refused(message, "order by the table's time first, or add LIMIT n to keep the first rows");
    };
    if first.descending {
        return refused("a stream has no last row to begin with", "order by the time ascending, or add LIMIT n");
    }
    if !relation.only_grows() {
        let message = "rows that may be taken back cannot be sorted by time";
        return refused(message, "sort before they are aggregated or joined, or add LIMIT n");
    }
    if first.role() == Role::Proctime {
        return match keys.len() {
            // That is the order in which they come.
            1 => Ok(relation),
            _ => refused("rows that come at the same time have no order", "order by the processing time alone"),
        };
    }
    let mut slots = Slots::behind(&relation);
    let mut keys = keys.iter().map(|key| key.key(&mut slots)).collect::<Vec<_>>();
    let time_column = keys.remove(0).column;
    let input = slots.onto(relation);
    let fields = input.having_waited(time_column);
    Ok(Relation::operator(NodeKind::Sort(Sort { time_column, then: keys }), vec![input], fields))
}
