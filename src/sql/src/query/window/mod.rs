//! Window functions in FROM: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))`.
//!
//! They put every row out once for each of its windows. Where the rows are then aggregated in these windows, the
//! optimiser spares the copies ([`crate::optimise`]).

mod arguments;
mod group;
mod session;

pub(super) use arguments::{Called, arguments_of};
pub(super) use group::GroupWindow;
pub(super) use session::{InSessions, in_sessions};

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, Ident, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AssignWindows, Clock, Expression, NodeKind, Window};

use super::Planner;
use crate::bind::Scope;
use crate::error::{Result, SqlError};
use crate::relation::{Field, Node, Pending, Relation, Role};
use crate::tokens::PARTITION_BY;
use crate::types::{self, TIMESTAMP};
use arguments::{Arguments, WindowFunction, window_function};

impl Planner<'_> {
    pub(super) fn windowed(&self, called: &Called<'_>) -> Result<Relation> {
        let function = window_function(called)?;
        let arguments = Arguments::of(called, function)?;
        let data = Data::of(arguments.required("DATA")?)?;
        let relation = self.table_argument(data.table)?;
        let time = time_column(&relation, arguments.required("TIMECOL")?, function)?;
        let window = arguments.window()?;
        let keys = data.keys(&relation, window)?;
        if !relation.only_grows() {
            let message = "rows that may be taken back cannot be assigned to windows";
            return Err(SqlError::new(called.span, message, "assign them before they are aggregated or joined"));
        }
        assigned(relation, time, window, keys, called.span)
    }
}

/// The rows that are put into windows, and what they are partitioned by.
struct Data<'a> {
    table: &'a Expr,
    partition: Vec<&'a Ident>,
}

impl<'a> Data<'a> {
    fn of(written: &'a Expr) -> Result<Self> {
        match written {
            Expr::Function(function) if function.name.to_string() == PARTITION_BY => Self::partitioned(function),
            table => Ok(Self { table, partition: Vec::new() }),
        }
    }

    fn partitioned(function: &'a Function) -> Result<Self> {
        let mut parts = arguments_of(function)?.iter().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        });
        let table = parts.next().ok_or_else(|| {
            SqlError::new(function.name.span(), "PARTITION BY has no table", "write TABLE t PARTITION BY key")
        })?;
        let partition = parts.filter_map(|part| if let Expr::Identifier(name) = part { Some(name) } else { None });
        Ok(Self { table, partition: partition.collect() })
    }

    fn keys(&self, relation: &Relation, window: Window) -> Result<Vec<usize>> {
        if let (Some(first), false) = (self.partition.first(), matches!(window, Window::Session { .. })) {
            let message = "only SESSION windows are partitioned";
            return Err(SqlError::new(first.span, message, "leave PARTITION BY out, and GROUP BY the column"));
        }
        let scope = Scope::of(relation, None);
        let place = |name: &&Ident| match scope.resolve(std::slice::from_ref(*name))?.0.expression {
            Expression::Column(place) => Ok(place),
            _ => Err(SqlError::new(name.span, "only columns can partition", "name a column")),
        };
        self.partition.iter().map(place).collect()
    }
}

/// A time attribute of a relation.
struct TimeColumn {
    place: usize,
    clock: Clock,
}

/// The rows, once for each window that they are in, with the window's bounds and time.
fn assigned(relation: Relation, time: TimeColumn, window: Window, keys: Vec<usize>, span: Span) -> Result<Relation> {
    let mut fields = relation.fields.clone();
    let bound = |name: &str, role| Field { role, ..Field::plain(name, TIMESTAMP, false) };
    let new = [
        bound("window_start", Role::WindowStart(time.clock)),
        bound("window_end", Role::WindowEnd(time.clock)),
        Field { nullable: false, ..fields[time.place].named("window_time") },
    ];
    for field in &new {
        if fields.iter().any(|known| known.name == field.name) {
            let message = format!("the input has a column `{}` already", field.name);
            return Err(SqlError::new(span, message, "rename it with AS in a subquery or view"));
        }
    }
    // A row's own time says nothing of the watermark any more once it stands for its windows, nor do the bounds of the
    // window that it came from.
    fields.iter_mut().for_each(|field| field.role = Role::Plain);
    fields.extend(new);
    let time_column = time.place;
    Ok(match window {
        Window::Session { gap_ms } => {
            let pending = Pending::Session { gap_ms, time_column, keys };
            Relation { node: Node::Pending { pending, input: Box::new(relation), span }, fields }
        }
        window => {
            let kind = NodeKind::AssignWindows(AssignWindows { window, time_column });
            Relation::operator(kind, vec![relation], fields)
        }
    })
}

fn time_column(relation: &Relation, descriptor: &Expr, function: &WindowFunction) -> Result<TimeColumn> {
    let wrong = || {
        let message = format!("expected DESCRIPTOR(column) but found `{descriptor}`");
        SqlError::new(descriptor.span(), message, function.usage)
    };
    let Expr::Function(function) = descriptor else {
        return Err(wrong());
    };
    let arguments = arguments_of(function)?;
    let (true, [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))]) =
        (function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR"), arguments)
    else {
        return Err(wrong());
    };
    let (typed, role) = Scope::of(relation, None).resolve(std::slice::from_ref(name))?;
    match (role.clock(), &typed.expression) {
        (Some(clock), Expression::Column(place)) => Ok(TimeColumn { place: *place, clock }),
        _ => Err(timeless(&name.value, &types::name(&typed.data_type), name.span)),
    }
}

fn timeless(name: &str, data_type: &str, span: Span) -> SqlError {
    let message = format!("`{name}` ({data_type}) has no watermark, so windows would never end");
    let remedy = "use the column that the table's WATERMARK is for, unchanged by the query; behind a join by time or OVER, \
                  the one that it goes by";
    SqlError::new(span, message, remedy)
}
