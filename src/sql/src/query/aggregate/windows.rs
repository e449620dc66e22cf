//! Aggregation in windows.

use sqlparser::tokenizer::Span;
use std::collections::BTreeSet;
use tidemill_plan::{Clock, Expression, Firing, NodeKind, Window, WindowAggregate, WindowOutput, Windows};

use super::groups::{Groups, WrittenWindow};
use super::keys::{Grouping, Key};
use super::laid::Laid;
use super::{Aggregated, Results, results};
use crate::bind::{Scope, Typed};
use crate::error::{Result, SqlError};
use crate::expressions::columns;
use crate::query::call::BoundCall;
use crate::query::window::{GroupWindow, InSessions, in_sessions};
use crate::relation::{Field, Relation, Role};
use crate::settings::Settings;
use crate::types::TIMESTAMP;

/// The windows that rows are aggregated in.
pub(super) struct RowWindow {
    windows: Bounds,
    clock: Clock,
    /// Where GROUP BY makes the windows itself.
    written: Option<GroupWindow>,
}

enum Bounds {
    /// Rows have them as columns.
    Attached { start: Typed, end: Typed },
    /// They follow from the rows' time.
    Of { window: Window, time: Typed },
}

impl RowWindow {
    /// The windows that the keys speak of, if they speak of both bounds, or make windows, and rows are never taken
    /// back; and the rows to aggregate.
    pub(super) fn of(relation: Relation, grouping: &Grouping, calls: &[BoundCall]) -> Result<(Option<Self>, Relation)> {
        if let Some((written, span)) = &grouping.window {
            if !relation.only_grows() {
                let message = "rows that may be taken back cannot be put into windows";
                return Err(SqlError::new(
                    *span,
                    message,
                    "put them into windows before they are aggregated or joined",
                ));
            }
            let windows = Bounds::Of { window: written.window, time: written.time.clone() };
            return Ok((Some(Self { windows, clock: written.clock, written: Some(written.clone()) }), relation));
        }
        let bound = |wanted: fn(Role) -> Option<Clock>| {
            let everywhere = grouping.keys.iter().enumerate().filter(|(place, _)| grouping.is_in_every_set(*place));
            everywhere.map(|(_, key)| key).find_map(|key| wanted(key.role).map(|clock| (key.value.clone(), clock)))
        };
        let start = bound(|role| if let Role::WindowStart(clock) = role { Some(clock) } else { None });
        let end = bound(|role| if let Role::WindowEnd(clock) = role { Some(clock) } else { None });
        let (Some((start, clock)), Some((end, _)), true) = (start, end, relation.only_grows()) else {
            return Ok((None, relation));
        };
        if let Some(sessions) = in_sessions(&relation)? {
            return Self::of_sessions(sessions, (&start, &end), clock, grouping, calls);
        }
        Ok((Some(Self { windows: Bounds::Attached { start, end }, clock, written: None }), relation))
    }

    fn of_sessions(
        sessions: InSessions,
        (start, end): (&Typed, &Typed),
        clock: Clock,
        grouping: &Grouping,
        calls: &[BoundCall],
    ) -> Result<(Option<Self>, Relation)> {
        if grouping.has_sets() {
            let message = "sessions cannot be aggregated by several sets of keys";
            return Err(SqlError::new(sessions.span, message, "write one query for each set, and UNION ALL them"));
        }
        let is_unknown = |value: &Typed| !columns(&value.expression).is_disjoint(&sessions.unknown);
        let of_calls = calls.iter().flat_map(|call| call.argument.iter().chain(&call.filter));
        let plain: Vec<&Key> = grouping.keys.iter().filter(|key| !is_of_window(key, &sessions.relation)).collect();
        if of_calls.chain(plain.iter().map(|key| &key.value)).any(is_unknown) || !is_unknown(start) || !is_unknown(end)
        {
            return Err(sessions.used_early());
        }
        let grouped: BTreeSet<Option<usize>> = plain
            .iter()
            .map(|key| if let Expression::Column(place) = key.value.expression { Some(place) } else { None })
            .collect();
        if grouped != sessions.keys.iter().copied().collect() || grouped.contains(&None) {
            let message = "GROUP BY has other keys than SESSION is partitioned by";
            let remedy = "give both the same columns: PARTITION BY k and GROUP BY k, window_start, window_end";
            return Err(SqlError::new(sessions.span, message, remedy));
        }
        let Expression::Column(place) = start.expression else { return Err(sessions.used_early()) };
        let time = Typed { data_type: sessions.relation.fields[place].data_type.clone(), ..start.clone() };
        let windows = Bounds::Of { window: sessions.window, time };
        Ok((Some(Self { windows, clock, written: None }), sessions.relation))
    }

    /// How the windows are put out besides at their end. Flink does it only where GROUP BY makes them.
    pub(super) fn firing(&self, grouping: &Grouping, settings: &Settings, select: Span) -> Result<Option<Firing>> {
        match &grouping.window {
            Some((written, span)) => settings.firing.of(written.window, written.clock, settings.state_ttl_ms, *span),
            None if settings.firing.is_on() => {
                let message = "windows of a table function are put out once, and table.exec.emit.* asks for more";
                let remedy = "make them in GROUP BY, as TUMBLE(time, size) or HOP(time, slide, size)";
                Err(SqlError::new(select, message, remedy))
            }
            None => Ok(None),
        }
    }

    pub(super) fn aggregated(
        self,
        relation: Relation,
        scope: &Scope,
        grouping: &Grouping,
        calls: Vec<BoundCall>,
        firing: Option<Firing>,
    ) -> Aggregated {
        // The window's time follows the watermark in the result; it is one of the window's columns, not a key.
        // Where GROUP BY makes the window, such columns among the keys are those of an earlier one.
        let (of_window, plain): (Vec<usize>, Vec<usize>) = (0..grouping.keys.len())
            .partition(|key| self.written.is_none() && is_of_window(&grouping.keys[*key], &relation));
        let others = self.others(&relation);
        let laid = Laid::of(relation, grouping, &plain, &calls, &others);
        let Results { mut fields, mut keys, calls, sets } = results(grouping, &plain, calls);
        let mut output = Vec::new();
        for key in of_window {
            let key = &grouping.keys[key];
            let (what, field) = self.column(key.role, &key.value);
            let column = Typed::new(Expression::Column(fields.len()), field.data_type.clone(), false);
            // Windows that rows name have a TIMESTAMP as their time, whatever they were made of.
            keys.push((key.value.expression.clone(), column.widened(&key.value.data_type), field.role));
            fields.push(field);
            output.push(what);
        }
        let window = self.written.clone().map(|written| {
            let columns = [
                (Role::WindowStart(self.clock), WindowOutput::Start),
                (Role::WindowEnd(self.clock), WindowOutput::End),
                (if self.clock == Clock::Event { Role::Rowtime } else { Role::Proctime }, WindowOutput::Time),
            ];
            let columns = columns.map(|(role, what)| {
                let (_, field) = self.column(role, &written.time);
                let column = Typed::new(Expression::Column(fields.len()), field.data_type.clone(), false);
                fields.push(field);
                output.push(what);
                (what, column, role)
            });
            WrittenWindow { window: written, columns: columns.to_vec() }
        });
        let groups = Groups { input: scope.clone(), keys, calls, window, sets };
        let windows = self.windows(&laid.others);
        let aggregate = WindowAggregate { windows, keys: laid.keys, aggregates: laid.aggregates, output, firing };
        let kind = NodeKind::WindowAggregate(aggregate);
        Aggregated { relation: Relation::operator(kind, vec![laid.input], fields), groups }
    }

    /// The column of the result for what a key is, or the time of these rows becomes.
    fn column(&self, role: Role, time: &Typed) -> (WindowOutput, Field) {
        let bound = |name: &str| Field { role, ..Field::plain(name, TIMESTAMP, false) };
        match role {
            Role::WindowStart(_) => (WindowOutput::Start, bound("window_start")),
            Role::WindowEnd(_) => (WindowOutput::End, bound("window_end")),
            Role::Rowtime | Role::Proctime | Role::Plain => {
                let data_type = match self.windows {
                    Bounds::Attached { .. } => TIMESTAMP,
                    Bounds::Of { .. } => time.data_type.clone(),
                };
                (WindowOutput::Time, Field { data_type, ..bound("window_time") })
            }
        }
    }

    /// The columns that say which windows a row is in.
    fn others(&self, relation: &Relation) -> Vec<(Typed, Field)> {
        let bound = |value: &Typed, name: &str, role| {
            (value.clone(), Field { role, ..Field::plain(name, value.data_type.clone(), false) })
        };
        match &self.windows {
            Bounds::Attached { start, end } => vec![
                bound(start, "window_start", Role::WindowStart(self.clock)),
                bound(end, "window_end", Role::WindowEnd(self.clock)),
            ],
            Bounds::Of { time, .. } => {
                let name = match time.expression {
                    Expression::Column(place) => relation.fields[place].name.as_str(),
                    _ => "time",
                };
                vec![bound(time, name, Role::Plain)]
            }
        }
    }

    fn windows(&self, others: &[usize]) -> Windows {
        let clock = self.clock;
        match self.windows {
            Bounds::Attached { .. } => Windows::Attached { start: others[0], end: others[1], clock },
            Bounds::Of { window, .. } => Windows::Of { window, time_column: others[0], clock },
        }
    }
}

fn is_of_window(key: &Key, relation: &Relation) -> bool {
    match key.role {
        Role::WindowStart(_) | Role::WindowEnd(_) => true,
        Role::Rowtime | Role::Proctime => is_window_time(&key.value, relation),
        Role::Plain => false,
    }
}

/// Whether a key is the time of the rows' windows: the column behind their bounds.
fn is_window_time(value: &Typed, relation: &Relation) -> bool {
    matches!(value.expression, Expression::Column(place) if relation.is_window_time(place))
}
