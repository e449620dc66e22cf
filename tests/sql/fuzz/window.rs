//! Windows: TUMBLE, HOP, CUMULATE and SESSION for the stream; for the batch every row is written once for each of its
//! windows, whose bounds are computed.

use super::relation::{Column, Generator, Relation, Role, Seen};
use super::scalar::Value;
use super::tables::Kind;
use super::text::{Sql, interval, moment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Tumble { size_ms: i64, offset_ms: i64 },
    Hop { slide_ms: i64, size_ms: i64, offset_ms: i64 },
    Cumulate { step_ms: i64, size_ms: i64 },
}

/// What an aggregation in windows groups by and shows of them.
pub struct Bounds {
    pub group_by: Vec<Sql>,
    pub columns: Vec<(Sql, Role)>,
    /// The keys that it must have, if it may not choose.
    pub keys: Option<Vec<Value>>,
}

const WINDOW_COLUMNS: [(&str, Role); 3] = [
    ("window_start", Role::WindowStart),
    ("window_end", Role::WindowEnd),
    ("window_time", Role::Time { unique: false }),
];

impl Window {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tumble { .. } => "tumble",
            Self::Hop { .. } => "hop",
            Self::Cumulate { .. } => "cumulate",
        }
    }

    /// The lengths, in the order of the function's arguments.
    fn lengths(self) -> (Vec<i64>, i64) {
        match self {
            Self::Tumble { size_ms, offset_ms } => (vec![size_ms], offset_ms),
            Self::Hop { slide_ms, size_ms, offset_ms } => (vec![slide_ms, size_ms], offset_ms),
            Self::Cumulate { step_ms, size_ms } => (vec![step_ms, size_ms], 0),
        }
    }

    fn stream(self, table: &str, time: &str) -> String {
        let (lengths, offset_ms) = self.lengths();
        let mut arguments: Vec<String> = lengths.iter().map(|length| interval(*length).stream).collect();
        if offset_ms != 0 {
            arguments.push(interval(offset_ms).stream);
        }
        let name = self.name().to_uppercase();
        format!("TABLE({name}({table}, DESCRIPTOR({time}), {}))", arguments.join(", "))
    }

    fn batch(self, table: &str, time: &str) -> String {
        let copies: Vec<String> = match self {
            Self::Tumble { size_ms, offset_ms } => vec![copy(table, &floor(time, size_ms, offset_ms), 0, size_ms, "")],
            Self::Hop { slide_ms, size_ms, offset_ms } => {
                let start = floor(time, slide_ms, offset_ms);
                let before = |place: i64| copy(table, &start, -place * slide_ms, size_ms, "");
                (0..size_ms / slide_ms).map(before).collect()
            }
            Self::Cumulate { step_ms, size_ms } => {
                let start = floor(time, size_ms, 0);
                let up_to = |steps: i64| {
                    let within = format!(" WHERE {time} < {start} + {}", interval(steps * step_ms).batch);
                    copy(table, &start, 0, steps * step_ms, &within)
                };
                (1..=size_ms / step_ms).map(up_to).collect()
            }
        };
        format!("({})", copies.join(" UNION ALL "))
    }
}

/// The latest multiple of a length before a time.
fn floor(time: &str, length_ms: i64, offset_ms: i64) -> String {
    let far_before = offset_ms - length_ms * (5_000_000_000_000 / length_ms);
    format!("date_bin({}, {time}, TIMESTAMP '{}')", interval(length_ms).batch, moment(far_before))
}

/// Rows with the bounds of one of their windows.
fn copy(table: &str, start: &str, shift_ms: i64, length_ms: i64, within: &str) -> String {
    let start = format!("{start} - {}", interval(-shift_ms).batch);
    let (length, last) = (interval(length_ms).batch, interval(length_ms - 1).batch);
    format!(
        "SELECT *, {start} AS window_start, {start} + {length} AS window_end, {start} + {last} AS window_time \
         FROM {table} AS w{within}"
    )
}

impl Generator<'_> {
    pub fn window(&mut self) -> Window {
        let part_ms = self.choices.pick(&[5000, 1000, 10_000, 2000, 7000, 500]);
        let size_ms = part_ms * (1 + self.choices.below(4) as i64);
        let offset_ms = if self.choices.once_in(4) { 1000 } else { 0 };
        match self.choices.below(3) {
            0 => Window::Tumble { size_ms, offset_ms: if offset_ms < size_ms { offset_ms } else { 0 } },
            1 => Window::Hop { slide_ms: part_ms, size_ms, offset_ms: if offset_ms < part_ms { offset_ms } else { 0 } },
            _ => Window::Cumulate { step_ms: part_ms, size_ms },
        }
    }

    /// Rows that know their windows.
    pub fn attached(&mut self, input: &Relation, window: Window) -> Relation {
        let time = input.time().expect("timed relations have a time").name.clone();
        let table = match input.from.stream.starts_with('(') {
            true => input.from.stream.clone(),
            false => format!("TABLE {}", input.from.stream),
        };
        let from = Sql { stream: window.stream(&table, &time), batch: window.batch(&input.from.batch, &time) };
        self.with_bounds(input, from, window.name())
    }

    fn with_bounds(&mut self, input: &Relation, from: Sql, what: &str) -> Relation {
        let plain = |column: &Column| Column { role: Role::Plain, ..column.clone() };
        let mut columns: Vec<Column> = input.columns.iter().map(plain).collect();
        let new = |(name, role): (&str, Role)| Column { name: name.to_string(), kind: Kind::Time, role };
        columns.extend(WINDOW_COLUMNS.map(new));
        Relation { from, columns, grows: input.grows, shape: format!("in {what}({})", input.shape) }
    }

    /// Rows that are in windows since before, and their bounds.
    pub fn still_in_windows(&mut self, depth: usize) -> Option<(Seen, Bounds)> {
        let input = match self.choices.below(4) {
            0 => self.window_aggregate(depth),
            1 => self.window_join(depth),
            2 => self.selection(depth),
            _ => {
                let (input, window) = (self.timed(depth), self.window());
                self.attached(&input, window)
            }
        };
        let seen = self.seen(&input);
        let bounds = [Role::WindowStart, Role::WindowEnd].map(|role| seen.with_role(|known| known == role));
        let [Some((start, _)), Some((end, _))] = bounds else { return None };
        let columns = vec![(start.clone(), Role::WindowStart), (end.clone(), Role::WindowEnd)];
        (seen.grows).then_some((seen, Bounds { group_by: vec![start, end], columns, keys: None }))
    }

    /// Rows put into some windows, what to group by for them, and the windows' name.
    pub fn in_windows(&mut self, input: &Relation) -> (Seen, Bounds, String) {
        match self.choices.below(8) {
            0 | 1 => self.in_sessions(input),
            2 | 3 => self.in_group_windows(input),
            _ => {
                let window = self.window();
                let relation = self.attached(input, window);
                let seen = Seen { shape: input.shape.clone(), ..self.seen(&relation) };
                let bounds = of_columns(&seen, None);
                (seen, bounds, window.name().to_string())
            }
        }
    }

    /// `GROUP BY TUMBLE(time, size)` and the like.
    fn in_group_windows(&mut self, input: &Relation) -> (Seen, Bounds, String) {
        let window = match self.window() {
            Window::Cumulate { size_ms, .. } | Window::Tumble { size_ms, .. } => {
                Window::Tumble { size_ms, offset_ms: 0 }
            }
            Window::Hop { slide_ms, size_ms, .. } => Window::Hop { slide_ms, size_ms, offset_ms: 0 },
        };
        let attached = self.attached(input, window);
        let relation = Relation {
            from: Sql { stream: input.from.stream.clone(), batch: attached.from.batch },
            columns: input.columns.clone(),
            ..input.clone()
        };
        let mut seen = self.seen(&relation);
        let time = seen.time().expect("timed relations have a time");
        let alias = time.stream.split('.').next().unwrap_or_default().to_string();
        seen.columns.iter_mut().for_each(|(_, column)| column.role = Role::Plain);
        let lengths: Vec<String> = window.lengths().0.iter().map(|length| interval(*length).stream).collect();
        let name = window.name().to_uppercase();
        let call = |suffix: &str| format!("{name}{suffix}({}, {})", time.stream, lengths.join(", "));
        let column = |(place, suffix): (usize, &str)| {
            let (column, role) = WINDOW_COLUMNS[place];
            (Sql { stream: call(suffix), batch: format!("{alias}.{column}") }, role)
        };
        let bounds = Bounds {
            group_by: vec![Sql {
                stream: call(""),
                batch: format!("{alias}.window_start, {alias}.window_end, {alias}.window_time"),
            }],
            columns: ["_START", "_END", "_ROWTIME"].into_iter().enumerate().map(column).collect(),
            keys: None,
        };
        (seen, bounds, format!("group {}", window.name()))
    }

    fn in_sessions(&mut self, input: &Relation) -> (Seen, Bounds, String) {
        // Whether rows that are just the gap apart are in one session depends on when the watermark comes, in Flink as
        // well. Hardly any two are this far apart.
        let gap_ms = self.choices.pick(&[5337, 1337, 2337, 537, 12_337]);
        let time = input.time().expect("timed relations have a time").name.clone();
        let own = self.seen(input);
        let keys = self.some_columns(&own, 2, |column| column.role == Role::Plain);
        let keys: Vec<String> = keys.into_iter().map(|(_, column)| column.name).collect();
        let partition = if keys.is_empty() { String::new() } else { format!("PARTITION BY {}", keys.join(", ")) };
        // Only what has a name can be partitioned.
        let input = &self.named(input.clone());
        let table = format!("TABLE {}", input.from.stream);
        let gap = interval(gap_ms);
        let within = if keys.is_empty() { String::new() } else { format!("{partition} ") };
        let islands =
            if keys.is_empty() { "PARTITION BY w_island".to_string() } else { format!("{partition}, w_island") };
        let last = interval(gap_ms - 1).batch;
        let from = Sql {
            stream: format!("TABLE(SESSION({table} {partition}, DESCRIPTOR({time}), {}))", gap.stream),
            batch: format!(
                "(SELECT *, MIN({time}) OVER ({islands}) AS window_start, MAX({time}) OVER ({islands}) + {gap} AS \
                 window_end, MAX({time}) OVER ({islands}) + {last} AS window_time FROM (SELECT *, SUM(w_new) OVER \
                 ({within}ORDER BY {time}) AS w_island FROM (SELECT *, CASE WHEN {time} > LAG({time}) OVER \
                 ({within}ORDER BY {time}) + {gap} THEN 1 ELSE 0 END AS w_new FROM {table} AS w) AS w) AS w)",
                gap = gap.batch,
                table = input.from.batch,
            ),
        };
        let relation = self.with_bounds(input, from, "session");
        let seen = Seen { shape: input.shape.clone(), ..self.seen(&relation) };
        let is_key = |column: &Column| keys.contains(&column.name);
        let keys = seen.columns.iter().filter(|(_, column)| is_key(column)).map(|(value, _)| value.clone()).collect();
        let bounds = of_columns(&seen, Some(keys));
        (Seen { columns: without_bounds(&seen), ..seen }, bounds, "session".to_string())
    }
}

fn without_bounds(seen: &Seen) -> Vec<(Value, Column)> {
    seen.columns.iter().filter(|(_, column)| column.role == Role::Plain).cloned().collect()
}

/// The bounds where rows have them as columns.
fn of_columns(seen: &Seen, keys: Option<Vec<Value>>) -> Bounds {
    let bounds = seen.columns.iter().filter(|(_, column)| column.role != Role::Plain);
    let columns: Vec<(Sql, Role)> = bounds.map(|(value, column)| (value.sql.clone(), column.role)).collect();
    Bounds { group_by: columns.iter().map(|(sql, _)| sql.clone()).collect(), columns, keys }
}
