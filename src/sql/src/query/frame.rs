//! What stands in the parentheses after OVER: partition, order and frame.

use sqlparser::ast::{
    Expr, Function, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, Spanned, Value, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AggregateFunction, Frame, SortKey};

use super::slots::Slots;
use crate::bind::{Binder, Typed, interval_ms};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Role};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct BoundWindow {
    partition: Vec<(Typed, Field)>,
    order: Vec<Ordered>,
    pub frame: Frame,
}

/// An expression that rows are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ordered {
    value: Typed,
    field: Field,
    pub descending: bool,
    pub nulls_first: bool,
}

impl Ordered {
    pub(super) fn of(written: &OrderByExpr, binder: Binder<'_>) -> Result<Self> {
        if let Some(fill) = &written.with_fill {
            return Err(SqlError::new(fill.span(), "WITH FILL is not Flink's", "leave it out"));
        }
        let (value, field) = bound(&written.expr, binder)?;
        let descending = written.options.asc == Some(false);
        // NULLs are less than all values.
        let nulls_first = written.options.nulls_first.unwrap_or(!descending);
        Ok(Self { value, field, descending, nulls_first })
    }

    pub(super) fn key(&self, slots: &mut Slots) -> SortKey {
        let column = slots.place_as(&self.value, &self.field);
        SortKey { column, descending: self.descending, nulls_first: self.nulls_first }
    }

    pub(super) fn role(&self) -> Role {
        self.field.role
    }
}

fn bound(written: &Expr, binder: Binder<'_>) -> Result<(Typed, Field)> {
    let (value, role) = binder.bind_column(written)?;
    let field = Field { role, ..Field::plain(written.to_string(), value.data_type.clone(), value.nullable) };
    Ok((value, field))
}

impl BoundWindow {
    pub(super) fn of(
        function: &Function,
        named: &[NamedWindowDefinition],
        call: &AggregateFunction,
        binder: Binder<'_>,
        span: Span,
    ) -> Result<Self> {
        let written = match &function.over {
            Some(WindowType::WindowSpec(spec)) => written(spec, named)?,
            Some(WindowType::NamedWindow(name)) => find(&name.value, name.span, named, named.len())?,
            None => return Err(no_order(span)),
        };
        let partition = written.partition_by.iter().map(|key| bound(key, binder)).collect::<Result<Vec<_>>>()?;
        let order = written.order_by.iter().map(|key| Ordered::of(key, binder)).collect::<Result<Vec<_>>>()?;
        if order.is_empty() {
            return Err(no_order(span));
        }
        let is_time = order.len() == 1 && order[0].role().clock().is_some();
        let frame = match (call, &written.window_frame) {
            (AggregateFunction::RowNumber | AggregateFunction::Lag { .. }, None) => Frame::Rows { preceding: None },
            (AggregateFunction::RowNumber | AggregateFunction::Lag { .. }, Some(_)) => {
                return Err(SqlError::new(span, "the call takes no frame", "leave ROWS or RANGE out"));
            }
            (_, None) => Frame::Range { preceding_ms: None },
            (_, Some(frame)) => frame_of(frame, is_time, span)?,
        };
        Ok(Self { partition, order, frame })
    }

    pub(super) fn partition(&self, slots: &mut Slots) -> Vec<usize> {
        self.partition.iter().map(|(value, field)| slots.place_as(value, field)).collect()
    }

    pub(super) fn order(&self, slots: &mut Slots) -> Vec<SortKey> {
        self.order.iter().map(|key| key.key(slots)).collect()
    }

    /// The time attribute that rows are ordered by, the earliest first.
    pub(super) fn time(&self) -> Option<Role> {
        match &self.order[..] {
            [key] if !key.descending && key.role().clock().is_some() => Some(key.role()),
            _ => None,
        }
    }
}

fn no_order(span: Span) -> SqlError {
    SqlError::new(span, "the rows of a stream have no order by themselves", "add ORDER BY a time to the OVER clause")
}

/// A window as it is written, with what it takes from the named one that it begins with.
fn written(spec: &WindowSpec, named: &[NamedWindowDefinition]) -> Result<WindowSpec> {
    let Some(name) = &spec.window_name else { return Ok(spec.clone()) };
    let base = find(&name.value, name.span, named, named.len())?;
    let or = |own: &WindowSpec| WindowSpec {
        window_name: None,
        partition_by: if own.partition_by.is_empty() { base.partition_by.clone() } else { own.partition_by.clone() },
        order_by: if own.order_by.is_empty() { base.order_by.clone() } else { own.order_by.clone() },
        window_frame: own.window_frame.clone().or(base.window_frame.clone()),
    };
    Ok(or(spec))
}

/// A window of the WINDOW clause. It may refer to those before it only.
fn find(name: &str, span: Span, named: &[NamedWindowDefinition], before: usize) -> Result<WindowSpec> {
    let place = named[..before].iter().position(|NamedWindowDefinition(known, _)| known.value == name);
    let place = place.ok_or_else(|| {
        let message = format!("there is no window `{name}`");
        SqlError::new(span, message, "define it in the WINDOW clause, before it is used there")
    })?;
    match &named[place].1 {
        NamedWindowExpr::WindowSpec(spec) => written(spec, &named[..place]),
        NamedWindowExpr::NamedWindow(other) => find(&other.value, other.span, named, place),
    }
}

fn frame_of(frame: &WindowFrame, is_time: bool, span: Span) -> Result<Frame> {
    match &frame.end_bound {
        None | Some(WindowFrameBound::CurrentRow) => {}
        Some(_) => {
            let message = "a frame that does not end at the current row is not supported";
            return Err(SqlError::new(span, message, "write BETWEEN … PRECEDING AND CURRENT ROW"));
        }
    }
    let refused = |what: &str, remedy: &str| Err(SqlError::new(span, format!("{what} is not supported"), remedy));
    match (frame.units, &frame.start_bound) {
        (_, WindowFrameBound::Following(_)) => {
            refused("a frame that begins after the current row", "write BETWEEN … PRECEDING AND CURRENT ROW")
        }
        (WindowFrameUnits::Groups, _) => refused("GROUPS", "use ROWS or RANGE"),
        (WindowFrameUnits::Rows, WindowFrameBound::CurrentRow) => Ok(Frame::Rows { preceding: Some(0) }),
        (WindowFrameUnits::Rows, WindowFrameBound::Preceding(None)) => Ok(Frame::Rows { preceding: None }),
        (WindowFrameUnits::Rows, WindowFrameBound::Preceding(Some(count))) => {
            Ok(Frame::Rows { preceding: Some(whole(count, "a number of rows")?) })
        }
        (WindowFrameUnits::Range, WindowFrameBound::Preceding(None)) => Ok(Frame::Range { preceding_ms: None }),
        (WindowFrameUnits::Range, _) if !is_time => {
            refused("RANGE over an order that is no time attribute", "use ROWS, or ORDER BY the table's time")
        }
        (WindowFrameUnits::Range, WindowFrameBound::CurrentRow) => Ok(Frame::Range { preceding_ms: Some(0) }),
        (WindowFrameUnits::Range, WindowFrameBound::Preceding(Some(length))) => match interval_ms(length)? {
            length_ms @ 0.. => Ok(Frame::Range { preceding_ms: Some(length_ms) }),
            _ => Err(SqlError::new(length.span(), "a frame cannot begin after its end", "give a positive interval")),
        },
    }
}

/// A whole number from 0 as it is written.
pub(super) fn whole(written: &Expr, what: &str) -> Result<u64> {
    let digits = match written {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, false) => digits.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok()),
            _ => None,
        },
        _ => None,
    };
    let wrong =
        || SqlError::new(written.span(), format!("`{written}` is not {what}"), "write a whole number such as 10");
    digits.ok_or_else(wrong)
}
