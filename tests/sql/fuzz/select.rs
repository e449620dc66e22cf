//! SELECT … WHERE, DISTINCT, unions and other set operations, subqueries in conditions.

use super::relation::{Generator, Relation, Role, Seen, Selected};
use super::scalar::Value;
use super::tables::Kind;
use super::text::Sql;

impl Generator<'_> {
    /// One time in so many, a WHERE clause.
    pub fn filter(&mut self, over: &[Value], once_in: usize) -> Sql {
        if self.choices.once_in(once_in) {
            let condition = self.condition(over, 3);
            return Sql::both(" WHERE {0}", &[&condition]);
        }
        Sql::default()
    }

    fn projected(&mut self, seen: &Seen, keep_time: bool) -> Selected {
        let mut selected = Selected::default();
        let values = seen.values();
        let count = 1 + self.choices.below(4);
        for _ in 0..count {
            let (value, column) = self.choices.pick(&seen.columns);
            match self.choices.below(2) {
                0 if !matches!(column.role, Role::Time { .. }) => {
                    self.select_as(&mut selected, &value.sql, column.kind, column.role)
                }
                _ => {
                    let sql = self.value(&values, column.kind, 3);
                    // An expression that is but a column may be the time.
                    self.select_as(&mut selected, &sql, column.kind, Role::Plain);
                }
            }
        }
        if let (true, Some((sql, time))) = (keep_time, seen.with_role(|role| matches!(role, Role::Time { .. }))) {
            self.select_as(&mut selected, &sql, time.kind, time.role);
        }
        selected
    }

    pub fn selection(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth);
        self.selected(&input)
    }

    pub fn timed_selection(&mut self, depth: usize) -> Relation {
        let input = self.timed(depth);
        self.selected(&input)
    }

    fn selected(&mut self, input: &Relation) -> Relation {
        let seen = self.seen(input);
        let selected = self.projected(&seen, true);
        let filter = self.filter(&seen.values(), 2);
        let query = Sql::both("SELECT {0} FROM {1}{2}", &[&selected.list(), &seen.item, &filter]);
        let what = if filter.is_empty() { "project" } else { "filter" };
        Relation::of(&query, selected.columns, seen.grows, format!("{what}({})", seen.shape))
    }

    pub fn distinct(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth);
        let seen = self.seen(&input);
        let mut selected = self.projected(&seen, false);
        selected.columns.iter_mut().for_each(|column| column.role = Role::Plain);
        let filter = self.filter(&seen.values(), 4);
        let query = Sql::both("SELECT DISTINCT {0} FROM {1}{2}", &[&selected.list(), &seen.item, &filter]);
        Relation::of(&query, selected.columns, false, format!("distinct({})", seen.shape))
    }

    /// A query that gives columns of these kinds.
    fn shaped(&mut self, depth: usize, kinds: &[Kind]) -> (Sql, Selected, Seen) {
        let input = self.relation(depth);
        let seen = self.seen(&input);
        let values = seen.values();
        let mut selected = Selected::default();
        for kind in kinds {
            let sql = self.value(&values, *kind, 1);
            self.select_as(&mut selected, &sql, *kind, Role::Plain);
        }
        let filter = self.filter(&values, 3);
        let query = Sql::both("SELECT {0} FROM {1}{2}", &[&selected.list(), &seen.item, &filter]);
        (query, selected, seen)
    }

    pub fn set_operation(&mut self, depth: usize) -> Relation {
        let kinds: Vec<Kind> = (0..1 + self.choices.below(3))
            .map(|_| self.choices.pick(&[Kind::Int, Kind::Text, Kind::Big, Kind::Bool, Kind::Time, Kind::Decimal]))
            .collect();
        let (left, selected, left_seen) = self.shaped(depth, &kinds);
        let (right, _, right_seen) = self.shaped(depth, &kinds);
        let (word, grows) = self.choices.pick(&[
            ("UNION ALL", left_seen.grows && right_seen.grows),
            ("UNION", false),
            ("INTERSECT", false),
            ("EXCEPT", false),
        ]);
        let query = Sql::both(&format!("{{0}} {word} {{1}}"), &[&left, &right]);
        let shape = format!("{}({}, {})", word.to_lowercase(), left_seen.shape, right_seen.shape);
        Relation::of(&query, selected.columns, grows, shape)
    }

    /// Rows of two relations with their times.
    pub fn timed_union(&mut self, depth: usize) -> Relation {
        let kinds: Vec<Kind> =
            (0..1 + self.choices.below(3)).map(|_| self.choices.pick(&super::tables::KINDS)).collect();
        let mut sides = Vec::new();
        let mut columns = Vec::new();
        let mut shapes = Vec::new();
        for _ in 0..2 {
            let input = self.timed(depth);
            let seen = self.seen(&input);
            let mut selected = Selected::default();
            for kind in &kinds {
                let sql = self.value(&seen.values(), *kind, 1);
                self.select_as(&mut selected, &sql, *kind, Role::Plain);
            }
            let time = seen.time().expect("timed relations have a time");
            self.select_as(&mut selected, &time, Kind::Time, Role::Time { unique: false });
            let filter = self.filter(&seen.values(), 3);
            sides.push(Sql::both("SELECT {0} FROM {1}{2}", &[&selected.list(), &seen.item, &filter]));
            shapes.push(seen.shape);
            columns = if columns.is_empty() { selected.columns } else { columns };
        }
        let query = Sql::list(&sides, " UNION ALL ");
        Relation::of(&query, columns, true, format!("union all of timed({})", shapes.join(", ")))
    }

    /// Rows for which a subquery has, or has not, some row.
    pub fn with_subquery(&mut self, depth: usize) -> Relation {
        let (outer, inner) = (self.relation(depth), self.relation(depth));
        let (seen, other) = (self.seen(&outer), self.seen(&inner));
        let mut selected = Selected::default();
        for (value, column) in &seen.columns {
            let role = if matches!(column.role, Role::Time { .. }) { Role::Plain } else { column.role };
            self.select_as(&mut selected, &value.sql, column.kind, role);
        }
        let within = self.filter(&other.values(), 3);
        let form = self.choices.below(5);
        let (condition, what) = match form {
            0 | 1 => {
                let (mut one, mut another) = self.alike(&seen, &other);
                let word = ["IN", "NOT IN"][form];
                if form == 1 {
                    // DataFusion takes a constant NULL to be in no set, so this compares columns.
                    let same = |kind| other.columns.iter().find(move |(_, column)| column.kind == kind);
                    let pair = seen.columns.iter().find_map(|(value, _)| Some((value, same(value.kind)?)));
                    (one, another) = match pair {
                        Some((value, (inner, _))) => (value.sql.clone(), inner.sql.clone()),
                        None => (Sql::text("1"), Sql::text("2")),
                    };
                }
                let inner = Sql::both("SELECT {0} FROM {1}{2}", &[&another, &other.item, &within]);
                (Sql::both(&format!("{{0}} {word} ({{1}})"), &[&one, &inner]), word)
            }
            2 | 3 => {
                let (one, another) = self.alike(&seen, &other);
                let mut tie = Sql::both("{0} = {1}", &[&another, &one]);
                if self.choices.once_in(3) {
                    let (one, another) = self.alike(&seen, &other);
                    tie = Sql::both("{0} AND {1} < {2}", &[&tie, &another, &one]);
                }
                let word = ["EXISTS", "NOT EXISTS"][form - 2];
                (Sql::both(&format!("{word} (SELECT 1 FROM {{0}} WHERE {{1}})"), &[&other.item, &tie]), word)
            }
            _ => {
                let kind = self.choices.pick(&[Kind::Big, Kind::Int]);
                let (one, another) = (self.value(&seen.values(), kind, 1), self.value(&other.values(), kind, 1));
                let call = self.choices.pick(&["MAX({0})", "MIN({0})", "COUNT({0})", "SUM({0})"]);
                let call = Sql::both(call, &[&another]);
                let word = self.choices.pick(&[">=", "<", "="]);
                // There is no row before the first one has come.
                let inner = Sql::each(
                    "SELECT {0} FROM {1}{2}",
                    "SELECT {0} FROM {1}{2} HAVING COUNT(*) > 0",
                    &[&call, &other.item, &within],
                );
                (Sql::both(&format!("{{0}} {word} ({{1}})"), &[&one, &inner]), "scalar")
            }
        };
        let query = Sql::both("SELECT {0} FROM {1} WHERE {2}", &[&selected.list(), &seen.item, &condition]);
        let shape = format!("{}({}, {})", what.to_lowercase(), seen.shape, other.shape);
        Relation::of(&query, selected.columns, false, shape)
    }

    /// A column or value of each side, of one kind.
    pub fn alike(&mut self, left: &Seen, right: &Seen) -> (Sql, Sql) {
        let mut kinds: Vec<Kind> = right.columns.iter().map(|(_, column)| column.kind).collect();
        kinds.retain(|kind| left.columns.iter().any(|(_, column)| column.kind == *kind));
        let kind = if kinds.is_empty() { Kind::Int } else { self.choices.pick(&kinds) };
        let steps = self.choices.below(2);
        (self.value(&left.values(), kind, steps), self.value(&right.values(), kind, steps))
    }
}
