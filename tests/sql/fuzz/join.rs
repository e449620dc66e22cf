//! Joins: regular ones of any relations, of rows near in time, of rows in the same window.

use super::relation::{Generator, Relation, Role, Seen, Selected};
use super::tables::Kind;
use super::text::{Sql, interval};

const KINDS: [&str; 4] = ["INNER", "LEFT", "RIGHT", "FULL"];

impl Generator<'_> {
    pub fn join(&mut self, depth: usize) -> Relation {
        let (left, right) = (self.relation(depth), self.relation(depth));
        let (left, right) = (self.seen(&left), self.seen(&right));
        let word = self.choices.pick(&KINDS);
        let (one, other) = self.alike(&left, &right);
        let mut on = Sql::both("{0} = {1}", &[&one, &other]);
        if self.choices.once_in(3) {
            let (one, other) = self.alike(&left, &right);
            let operator = self.choices.pick(&["=", "<", "<>"]);
            on = Sql::both(&format!("{{0}} AND {{1}} {operator} {{2}}"), &[&on, &one, &other]);
        } else if self.choices.once_in(6) {
            let values = [left.values(), right.values()].concat();
            let condition = self.condition(&values, 2);
            on = Sql::both("{0} AND ({1})", &[&on, &condition]);
        }
        self.joined(word, left, right, &on, (false, "join"))
    }

    /// Rows whose times are near each other.
    pub fn interval_join(&mut self, depth: usize) -> Relation {
        let (left, right) = (self.timed(depth), self.timed(depth));
        let (left, right) = (self.seen(&left), self.seen(&right));
        let word = self.choices.pick(&KINDS);
        let (one, other) = (left.time(), right.time());
        let (one, other) = (one.expect("timed relations have a time"), other.expect("timed relations have a time"));
        let before = interval(self.choices.pick(&[0, 1000, 5000, 2500]));
        let after = interval(self.choices.pick(&[5000, 0, 1000, 12_000]));
        let forms = [
            "{0} BETWEEN {1} - {2} AND {1} + {3}",
            "{1} >= {0} - {2} AND {1} < {0} + {3} + {3}",
            "{0} > {1} - {2} - {3} AND {0} <= {1} + {2}",
        ];
        let mut on = Sql::both(self.choices.pick(&forms), &[&one, &other, &before, &after]);
        if self.choices.below(4) != 3 {
            let (one, other) = self.alike(&left, &right);
            // The first times that are compared are those that rows wait for: only they are times in the result.
            on = Sql::both("{2} AND {0} = {1}", &[&one, &other, &on]);
        }
        self.joined(word, left, right, &on, (true, "interval join"))
    }

    pub fn window_join(&mut self, depth: usize) -> Relation {
        let window = self.window();
        let (left, right) = (self.timed(depth), self.timed(depth));
        let mut side = |input: &Relation| {
            let relation = self.attached(input, window);
            let query = Sql::both("SELECT * FROM {0} AS w", &[&relation.from]);
            self.seen(&Relation::of(&query, relation.columns, true, relation.shape))
        };
        let (left, right) = (side(&left), side(&right));
        let bound = |seen: &Seen, role: Role| {
            seen.with_role(|known| known == role).expect("rows in windows have their bounds").0
        };
        let (start, end) = (Role::WindowStart, Role::WindowEnd);
        let bounds = [&bound(&left, start), &bound(&right, start), &bound(&left, end), &bound(&right, end)];
        let mut on = Sql::both("{0} = {1} AND {2} = {3}", &bounds);
        if self.choices.below(3) != 2 {
            let (one, other) = self.alike(&left, &right);
            on = Sql::both("{0} AND {1} = {2}", &[&on, &one, &other]);
        }
        match self.choices.below(6) {
            kind @ 0..=3 => self.joined(KINDS[kind], left, right, &on, (true, "window join")),
            kind => {
                let word = ["EXISTS", "NOT EXISTS"][kind - 4];
                let mut selected = Selected::default();
                for (value, column) in &left.columns {
                    self.select_as(&mut selected, &value.sql, column.kind, Role::Plain);
                }
                let condition = Sql::both(&format!("{word} (SELECT 1 FROM {{0}} WHERE {{1}})"), &[&right.item, &on]);
                let parts = [&selected.list(), &left.item, &condition];
                let query = Sql::both("SELECT {0} FROM {1} WHERE {2}", &parts);
                let shape = format!("window {}({}, {})", word.to_lowercase(), left.shape, right.shape);
                Relation::of(&query, selected.columns, false, shape)
            }
        }
    }

    fn joined(&mut self, word: &str, left: Seen, right: Seen, on: &Sql, (timed, what): (bool, &str)) -> Relation {
        let mut selected = Selected::default();
        let padded = [matches!(word, "RIGHT" | "FULL"), matches!(word, "LEFT" | "FULL")];
        let mut has_time = false;
        for (side, pads) in [(&left, padded[0]), (&right, padded[1])] {
            for (value, column) in &side.columns {
                let is_time = matches!(column.role, Role::Time { .. });
                // Of two sides with a time, or the bounds of a window, one keeps them.
                let role = match column.role {
                    _ if pads || !timed || has_time => Role::Plain,
                    Role::Time { .. } => Role::Time { unique: false },
                    role => role,
                };
                if role != Role::Plain || is_time || self.choices.below(3) != 2 {
                    self.select_as(&mut selected, &value.sql, column.kind, role);
                }
            }
            has_time |= timed && !pads;
        }
        if selected.items.is_empty() {
            self.select_as(&mut selected, &Sql::text("1"), Kind::Int, Role::Plain);
        }
        let values = [left.values(), right.values()].concat();
        let filter = self.filter(&values, 5);
        let parts = [&selected.list(), &left.item, &right.item, on, &filter];
        let query = Sql::both(&format!("SELECT {{0}} FROM {{1}} {word} JOIN {{2}} ON {{3}}{{4}}"), &parts);
        let grows = left.grows && right.grows && (timed || word == "INNER");
        let shape = format!("{} {what}({}, {})", word.to_lowercase(), left.shape, right.shape);
        Relation::of(&query, selected.columns, grows, shape)
    }
}
