//! What goes by an order of rows: the first ones, one of each key, aggregates over the rows before.

use super::relation::{Column, Generator, Relation, Role, Seen, Selected};
use super::scalar::Value;
use super::tables::Kind;
use super::text::{Sql, interval};
use super::window::Window;

/// The row's number over the window that is the second part. DataFusion's numbers are unsigned, and another type comes of
/// calculating with them.
const BATCH_ROW_NUMBER: &str = "CAST(ROW_NUMBER() OVER ({1}) AS BIGINT)";

impl Generator<'_> {
    /// An order in which only equal rows are alike: some columns first, then all others. NULLs are less than values.
    fn whole_order(&mut self, seen: &Seen, without: &[Value]) -> Sql {
        let mut columns: Vec<Sql> = seen.values().into_iter().map(|value| value.sql).collect();
        columns.retain(|column| without.iter().all(|value| value.sql != *column));
        let mut keys = Vec::new();
        while !columns.is_empty() {
            let column = columns.remove(self.choices.below(columns.len().min(4)));
            keys.push(match self.choices.below(4) {
                0 | 1 => Sql::each("{0}", "{0} ASC NULLS FIRST", &[&column]),
                2 => Sql::each("{0} DESC", "{0} DESC NULLS LAST", &[&column]),
                _ => Sql::both("{0} ASC NULLS LAST", &[&column]),
            });
        }
        Sql::list(&keys, ", ")
    }

    fn partition(&mut self, seen: &Seen, first: &[Sql]) -> (Sql, Vec<Value>) {
        let keys = self.some_columns(seen, 2, |column| column.role == Role::Plain);
        let keys: Vec<Value> = keys.into_iter().map(|(value, _)| value).collect();
        let all: Vec<Sql> = first.iter().cloned().chain(keys.iter().map(|key| key.sql.clone())).collect();
        match all.is_empty() {
            true => (Sql::default(), keys),
            false => (Sql::both("PARTITION BY {0} ", &[&Sql::list(&all, ", ")]), keys),
        }
    }

    /// Some columns of a relation, the number of its rows among them now and then, in a range of numbers.
    fn numbered(&mut self, seen: &Seen, window: &Sql, range: &str, what: &str) -> Relation {
        let mut inner = Selected::default();
        for (value, column) in &seen.columns {
            self.select_as(&mut inner, &value.sql, column.kind, Role::Plain);
        }
        let number = self.name("n");
        let parts = [&inner.list(), window, &seen.item];
        let ranked = |call: &str| format!("SELECT {{0}}, {call} AS {number} FROM {{2}}");
        let ranked = Sql::each(&ranked("ROW_NUMBER() OVER ({1})"), &ranked(BATCH_ROW_NUMBER), &parts);
        let mut relation = Relation::of(&ranked, inner.columns, false, String::new());
        if self.choices.once_in(3) {
            relation.columns.push(Column { name: number.clone(), kind: Kind::Big, role: Role::Plain });
        }
        let outer = self.seen(&relation);
        let mut selected = Selected::default();
        for (value, column) in &outer.columns {
            self.select_as(&mut selected, &value.sql, column.kind, Role::Plain);
        }
        let alias = outer.columns[0].0.sql.stream.split('.').next().unwrap_or_default().to_string();
        let range = Sql::text(range.replace("rn", &format!("{alias}.{number}")));
        let query = Sql::both("SELECT {0} FROM {1} WHERE {2}", &[&selected.list(), &outer.item, &range]);
        Relation::of(&query, selected.columns, false, format!("{what}({})", seen.shape))
    }

    /// The first rows in some order.
    pub fn top(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth);
        let seen = self.seen(&input);
        if self.choices.once_in(4) {
            return self.limited(&seen);
        }
        let (partition, keys) = self.partition(&seen, &[]);
        let order = self.whole_order(&seen, &keys);
        if order.is_empty() {
            return input;
        }
        let window = Sql::both("{0}ORDER BY {1}", &[&partition, &order]);
        let range = self.choices.pick(&["rn <= 2", "rn = 1", "rn < 4", "rn > 1 AND rn <= 3", "rn = 2"]);
        self.numbered(&seen, &window, range, &format!("top {range}"))
    }

    fn limited(&mut self, seen: &Seen) -> Relation {
        let order = self.whole_order(seen, &[]);
        let mut selected = Selected::default();
        for (value, column) in &seen.columns {
            self.select_as(&mut selected, &value.sql, column.kind, Role::Plain);
        }
        let bounds = self.choices.pick(&["LIMIT 3", "LIMIT 1", "LIMIT 2 OFFSET 1"]);
        let parts = [&selected.list(), &seen.item, &order];
        let query = Sql::both(&format!("SELECT {{0}} FROM {{1}} ORDER BY {{2}} {bounds}"), &parts);
        Relation::of(&query, selected.columns, false, format!("{}({})", bounds.to_lowercase(), seen.shape))
    }

    /// The first rows of each window.
    pub fn window_top(&mut self, depth: usize) -> Relation {
        let input = self.timed(depth);
        let relation = match self.choices.below(2) {
            0 => {
                let window = self.window();
                self.attached(&input, window)
            }
            _ => self.window_aggregate(depth),
        };
        let seen = self.seen(&relation);
        let bounds = [Role::WindowStart, Role::WindowEnd].map(|role| seen.with_role(|known| known == role));
        let bounds: Vec<Sql> = bounds.into_iter().flatten().map(|(sql, _)| sql).collect();
        let (partition, keys) = self.partition(&seen, &bounds);
        let order = self.whole_order(&seen, &keys);
        let window = Sql::both("{0}ORDER BY {1}", &[&partition, &order]);
        let range = self.choices.pick(&["rn <= 2", "rn = 1", "rn > 1 AND rn <= 3"]);
        self.numbered(&seen, &window, range, &format!("window top {range}"))
    }

    /// The first or last row of each key by time.
    pub fn first_or_last(&mut self, depth: usize) -> Relation {
        let input = self.unique_in_time(depth);
        let seen = self.seen(&input);
        let time = seen.time().expect("timed relations have a time");
        let (partition, _) = self.partition(&seen, &[]);
        let direction = self.choices.pick(&["ASC", "DESC"]);
        let window = Sql::both(&format!("{{0}}ORDER BY {{1}} {direction}"), &[&partition, &time]);
        self.numbered(&seen, &window, "rn = 1", &format!("one by time {}", direction.to_lowercase()))
    }

    fn unique_in_time(&mut self, depth: usize) -> Relation {
        let input = self.timed(depth);
        let is_unique = |column: &Column| matches!(column.role, Role::Time { unique: true });
        if input.time().is_some_and(is_unique) { input } else { self.table_unique_in_time() }
    }

    fn table_unique_in_time(&mut self) -> Relation {
        let relation = self.table();
        let is_unique = |column: &Column| matches!(column.role, Role::Time { unique: true });
        if relation.time().is_some_and(is_unique) {
            return relation;
        }
        // One row for each time is left of a table in which several have it.
        let attached = self.attached(&relation, Window::Tumble { size_ms: 500, offset_ms: 0 });
        let seen = self.seen(&attached);
        let bounds: Vec<Sql> = seen
            .columns
            .iter()
            .filter(|(_, column)| column.role != Role::Plain)
            .map(|(value, _)| value.sql.clone())
            .collect();
        let mut selected = Selected::default();
        let id = seen.columns[0].0.sql.clone();
        for call in ["MIN({0})", "COUNT({0})"] {
            self.select_as(&mut selected, &Sql::both(call, &[&id]), Kind::Big, Role::Plain);
        }
        let time = seen.time().expect("rows in windows have a time");
        self.select_as(&mut selected, &time, Kind::Time, Role::Time { unique: true });
        let parts = [&selected.list(), &seen.item, &Sql::list(&bounds, ", ")];
        let query = Sql::both("SELECT {0} FROM {1} GROUP BY {2}", &parts);
        Relation::of(&query, selected.columns, true, "tumble(table)".to_string())
    }

    pub fn over(&mut self, depth: usize) -> Relation {
        match self.choices.below(2) {
            0 => self.over_time(depth),
            _ => self.over_columns(depth),
        }
    }

    /// Aggregates over the rows before in time.
    pub fn over_time(&mut self, depth: usize) -> Relation {
        let by_rows = self.choices.below(2) == 1;
        let input = if by_rows { self.unique_in_time(depth) } else { self.timed(depth) };
        let seen = self.seen(&input);
        let time = seen.time().expect("timed relations have a time");
        let (partition, _) = self.partition(&seen, &[]);
        let back = interval(self.choices.pick(&[5000, 1000, 12_000, 0]));
        let (frame, what) = match (by_rows, self.choices.below(3)) {
            (true, 0) => (Sql::text(" ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"), "rows"),
            (true, 1) => (Sql::text(" ROWS BETWEEN 3 PRECEDING AND CURRENT ROW"), "rows"),
            (true, _) => (Sql::text(" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"), "rows"),
            (false, 0 | 1) => (Sql::both(" RANGE BETWEEN {0} PRECEDING AND CURRENT ROW", &[&back]), "range"),
            (false, _) => (Sql::default(), "range"),
        };
        let window = Sql::both("{0}ORDER BY {1}", &[&partition, &time]);
        self.with_calls(&seen, &window, &frame, by_rows, (true, &format!("over {what}")))
    }

    /// Aggregates over the rows before in any order.
    fn over_columns(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth);
        let seen = self.seen(&input);
        let (partition, keys) = self.partition(&seen, &[]);
        let order = self.whole_order(&seen, &keys);
        if order.is_empty() {
            return input;
        }
        let frames = ["1 PRECEDING", "2 PRECEDING", "UNBOUNDED PRECEDING"];
        let frame = Sql::text(format!(" ROWS BETWEEN {} AND CURRENT ROW", self.choices.pick(&frames)));
        let window = Sql::both("{0}ORDER BY {1}", &[&partition, &order]);
        self.with_calls(&seen, &window, &frame, true, (false, "over columns"))
    }

    fn with_calls(&mut self, seen: &Seen, window: &Sql, frame: &Sql, rows: bool, what: (bool, &str)) -> Relation {
        let (timed, what) = what;
        let mut selected = Selected::default();
        for (value, column) in &seen.columns {
            let role = if timed { column.role } else { Role::Plain };
            if role != Role::Plain || self.choices.below(3) != 2 {
                self.select_as(&mut selected, &value.sql, column.kind, role);
            }
        }
        let values = seen.values();
        let mut names = Vec::new();
        for _ in 0..1 + self.choices.below(2) {
            let kind = match self.choices.pick(&values).kind {
                Kind::Bool | Kind::Odd => Kind::Int,
                other => other,
            };
            let any = self.value(&values, kind, 1);
            let whole = self.value(&values, Kind::Big, 1);
            let parts = [&any, window, &whole, frame];
            let (stream, batch, kind, name) = match self.choices.below(if rows { 8 } else { 5 }) {
                0 => ("COUNT({0}) OVER ({1}{3})", "", Kind::Big, "count"),
                1 => ("SUM({2}) OVER ({1}{3})", "", Kind::Big, "sum"),
                2 => ("MIN({0}) OVER ({1}{3})", "", kind, "min"),
                3 => ("MAX({0}) OVER ({1}{3})", "", kind, "max"),
                4 => {
                    ("AVG({2}) OVER ({1}{3})", "(SUM({2}) OVER ({1}{3}) / COUNT({2}) OVER ({1}{3}))", Kind::Big, "avg")
                }
                5 => ("LAG({0}) OVER ({1})", "", kind, "lag"),
                6 => ("LAG({0}, 2) OVER ({1})", "", kind, "lag 2"),
                _ if timed => ("ROW_NUMBER() OVER ({1})", BATCH_ROW_NUMBER, Kind::Big, "row number"),
                _ => ("LEAD({0}) OVER ({1})", "", kind, "lead"),
            };
            let batch = if batch.is_empty() { stream } else { batch };
            self.select_as(&mut selected, &Sql::each(stream, batch, &parts), kind, Role::Plain);
            names.push(name);
        }
        let query = Sql::both("SELECT {0} FROM {1}", &[&selected.list(), &seen.item]);
        let shape = format!("{what} {}({})", names.join(" "), seen.shape);
        Relation::of(&query, selected.columns, timed, shape)
    }
}
