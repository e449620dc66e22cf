//! Aggregation: over everything so far, and in windows.

use super::relation::{Generator, Relation, Role, Seen, Selected};
use super::scalar::Value;
use super::tables::Kind;
use super::text::Sql;
use super::window::Bounds;

/// A SELECT of an aggregation, in parts.
struct Aggregation {
    selected: Selected,
    group_by: Sql,
    having: Sql,
    /// Whether one group has all rows, whatever they are.
    has_total: bool,
    what: String,
}

impl Generator<'_> {
    pub fn aggregate(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth);
        let seen = self.seen(&input);
        let filter = self.filter(&seen.values(), 4);
        let Aggregation { selected, group_by, having, has_total, what } = self.aggregation(&seen, None);
        // Nothing is there before the first row has come, nor after the last one has been taken back.
        let having = match (has_total, having.is_empty()) {
            (true, true) => Sql::each("", " HAVING COUNT(*) > 0", &[]),
            (true, false) => Sql::each(" HAVING {0}", " HAVING ({0}) AND COUNT(*) > 0", &[&having]),
            (false, true) => having,
            (false, false) => Sql::both(" HAVING {0}", &[&having]),
        };
        let parts = [&selected.list(), &seen.item, &filter, &group_by, &having];
        let query = Sql::both("SELECT {0} FROM {1}{2}{3}{4}", &parts);
        Relation::of(&query, selected.columns, false, format!("aggregate {what}({})", seen.shape))
    }

    pub fn window_aggregate(&mut self, depth: usize) -> Relation {
        let input = self.timed(depth);
        let (seen, bounds, windows) = self.in_windows(&input);
        self.aggregated_in(&seen, &bounds, &windows)
    }

    /// Aggregates rows in the windows that they are in already.
    pub fn window_aggregate_again(&mut self, depth: usize) -> Relation {
        match self.still_in_windows(depth) {
            Some((seen, bounds)) => self.aggregated_in(&seen, &bounds, "again in windows"),
            None => self.window_aggregate(depth),
        }
    }

    fn aggregated_in(&mut self, seen: &Seen, bounds: &Bounds, windows: &str) -> Relation {
        let filter = if windows == "session" { Sql::default() } else { self.filter(&seen.values(), 6) };
        let Aggregation { selected, group_by, having, what, .. } = self.aggregation(seen, Some(bounds));
        let having = if having.is_empty() { having } else { Sql::both(" HAVING {0}", &[&having]) };
        let parts = [&selected.list(), &seen.item, &filter, &group_by, &having];
        let query = Sql::both("SELECT {0} FROM {1}{2}{3}{4}", &parts);
        Relation::of(&query, selected.columns, true, format!("{windows} {what}({})", seen.shape))
    }

    fn aggregation(&mut self, seen: &Seen, window: Option<&Bounds>) -> Aggregation {
        let values = seen.values();
        let mut keys: Vec<Value> = match window.and_then(|window| window.keys.clone()) {
            Some(keys) => keys,
            None => {
                let plain = |column: &super::relation::Column| column.role == Role::Plain;
                self.some_columns(seen, 2, plain).into_iter().map(|(value, _)| value).collect()
            }
        };
        let may_change = window.is_none_or(|window| window.keys.is_none());
        if may_change && self.choices.once_in(6) {
            let kind = self.choices.pick(&[Kind::Int, Kind::Text, Kind::Big]);
            let key = self.value(&values, kind, 2);
            // A key that reads no column is none, and a bare one may be there already.
            if key.stream.contains("q") && keys.iter().all(|known| known.sql != key) {
                keys.push(Value::new(key, kind));
            }
        }
        let calls: Vec<(Value, String)> = (0..1 + self.choices.below(3)).map(|_| self.call(&values)).collect();
        let mut names: Vec<String> = calls.iter().map(|(_, name)| name.clone()).collect();
        names.sort();
        let results: Vec<Value> = calls.iter().map(|(call, _)| call.clone()).collect();
        let mut selected = Selected::default();
        for key in &keys {
            self.select_as(&mut selected, &key.sql, key.kind, Role::Plain);
        }
        for call in &results {
            self.select_as(&mut selected, &call.sql, call.kind, Role::Plain);
        }
        if self.choices.once_in(4) {
            let kind = self.choices.pick(&results).kind;
            let combined = self.value(&results, kind, 2);
            self.select_as(&mut selected, &combined, kind, Role::Plain);
        }
        let of_window: Vec<Sql> = window.map(|window| window.group_by.clone()).unwrap_or_default();
        if let Some(window) = window {
            for (sql, role) in &window.columns {
                self.select_as(&mut selected, sql, Kind::Time, *role);
            }
        }
        let having = match self.choices.once_in(5) {
            true => self.condition(&results, 2),
            false => Sql::default(),
        };
        let (group_by, sets, has_total) = self.grouping(&keys, &of_window, may_change);
        let what =
            format!("{sets}{} {}{}", keys.len(), names.join(" "), if having.is_empty() { "" } else { " having" });
        Aggregation { selected, group_by, having, has_total, what }
    }

    fn grouping(&mut self, keys: &[Value], of_window: &[Sql], may_have_sets: bool) -> (Sql, &'static str, bool) {
        let keys: Vec<Sql> = keys.iter().map(|key| key.sql.clone()).collect();
        let all = [of_window, &keys].concat();
        if all.is_empty() {
            return (Sql::default(), "", true);
        }
        let list = Sql::list(&all, ", ");
        let plain = Sql::both(" GROUP BY {0}", &[&list]);
        if keys.is_empty() || !may_have_sets || !self.choices.once_in(5) {
            return (plain, "", false);
        }
        match self.choices.below(3) {
            0 => {
                let has_total = self.choices.below(2) == 0;
                let mut sets: Vec<&[Sql]> = keys.iter().map(std::slice::from_ref).collect();
                if has_total {
                    sets.push(&[]);
                }
                let all = |before: &[Sql]| {
                    let set = |keys: &&[Sql]| Sql::both("({0})", &[&Sql::list(&[before, *keys].concat(), ", ")]);
                    Sql::list(&sets.iter().map(set).collect::<Vec<_>>(), ", ")
                };
                let (whole, own, window) = (all(of_window), all(&[]), Sql::list(of_window, ", "));
                let written = match of_window.len() {
                    // A window that GROUP BY makes stands beside the sets.
                    1 => Sql::each(
                        " GROUP BY {2}, GROUPING SETS ({1})",
                        " GROUP BY GROUPING SETS ({0})",
                        &[&whole, &own, &window],
                    ),
                    _ => Sql::both(" GROUP BY GROUPING SETS ({0})", &[&whole]),
                };
                (written, "sets ", has_total)
            }
            kind if of_window.is_empty() => {
                let word = ["", "ROLLUP", "CUBE"][kind];
                (Sql::both(&format!(" GROUP BY {word} ({{0}})"), &[&list]), ["", "rollup ", "cube "][kind], true)
            }
            _ => (plain, "", false),
        }
    }

    /// An aggregate, and a name for its kind.
    fn call(&mut self, over: &[Value]) -> (Value, String) {
        let (stream, batch, name, kind, argument) = match self.choices.below(9) {
            0 => ("COUNT(*)", "COUNT(*)", "count", Kind::Big, None),
            1 => ("COUNT({0})", "COUNT({0})", "count x", Kind::Big, Some(self.any_kind(over))),
            2 => ("SUM({0})", "SUM({0})", "sum", Kind::Big, Some(Kind::Big)),
            3 => {
                let kind = self.choices.pick(&[Kind::Int, Kind::Double, Kind::Decimal]);
                ("SUM({0})", "SUM({0})", "sum", kind, Some(kind))
            }
            4 | 5 => {
                let kind = match self.any_kind(over) {
                    // DataFusion has a least number as the maximum of nothing but negative infinity.
                    Kind::Bool | Kind::Odd => Kind::Int,
                    other => other,
                };
                match self.choices.below(2) {
                    0 => ("MAX({0})", "MAX({0})", "max", kind, Some(kind)),
                    _ => ("MIN({0})", "MIN({0})", "min", kind, Some(kind)),
                }
            }
            6 => ("AVG({0})", "(SUM({0}){f} / COUNT({0}){f})", "avg", Kind::Big, Some(Kind::Big)),
            7 => ("COUNT(DISTINCT {0})", "COUNT(DISTINCT {0})", "count distinct", Kind::Big, Some(self.any_kind(over))),
            _ => ("SUM(DISTINCT {0})", "SUM(DISTINCT {0})", "sum distinct", Kind::Int, Some(Kind::Int)),
        };
        let argument = argument.map(|kind| self.value(over, kind, 1)).unwrap_or_default();
        let mut name = name.to_string();
        let mut filter = Sql::default();
        if self.choices.once_in(5) {
            filter = Sql::both(" FILTER (WHERE {0})", &[&self.condition(over, 2)]);
            name += " filter";
        }
        let stream = format!("{stream}{{1}}");
        let batch = if batch.contains("{f}") { batch.replace("{f}", "{1}") } else { format!("{batch}{{1}}") };
        (Value::new(Sql::each(&stream, &batch, &[&argument, &filter]), kind), name)
    }

    fn any_kind(&mut self, over: &[Value]) -> Kind {
        if over.is_empty() { Kind::Int } else { self.choices.pick(over).kind }
    }
}
