//! Random queries. A relation knows what may be done with it: whether its rows may be taken back, and which of its
//! columns is the time that the watermark follows.

use super::choices::Choices;
use super::scalar::Value;
use super::tables::{Kind, Table};
use super::text::Sql;

pub struct Generator<'a> {
    pub choices: &'a mut Choices,
    pub tables: &'a [Table],
    pub base_ms: i64,
    names: usize,
    /// The queries that WITH gives names to.
    with: Vec<Sql>,
}

#[derive(Clone, Debug)]
pub struct Relation {
    /// What stands in FROM.
    pub from: Sql,
    pub columns: Vec<Column>,
    /// Whether rows that are there stay.
    pub grows: bool,
    /// The operators that it is made of.
    pub shape: String,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// The time that the watermark follows; no two rows may have the same one.
    Time {
        unique: bool,
    },
    WindowStart,
    WindowEnd,
}

/// A relation under an alias, and its columns by their full names.
pub struct Seen {
    pub item: Sql,
    pub columns: Vec<(Value, Column)>,
    pub grows: bool,
    pub shape: String,
}

/// What a query selects.
#[derive(Default)]
pub struct Selected {
    pub items: Vec<Sql>,
    pub columns: Vec<Column>,
}

impl Relation {
    /// The relation that a query gives.
    pub fn of(query: &Sql, columns: Vec<Column>, grows: bool, shape: String) -> Self {
        Self { from: Sql::both("({0})", &[query]), columns, grows, shape }
    }

    pub fn time(&self) -> Option<&Column> {
        self.columns.iter().find(|column| matches!(column.role, Role::Time { .. }))
    }
}

impl Seen {
    pub fn values(&self) -> Vec<Value> {
        self.columns.iter().map(|(value, _)| value.clone()).collect()
    }

    pub fn with_role(&self, wanted: impl Fn(Role) -> bool) -> Option<(Sql, Column)> {
        let found = self.columns.iter().find(|(_, column)| wanted(column.role));
        found.map(|(value, column)| (value.sql.clone(), column.clone()))
    }

    pub fn time(&self) -> Option<Sql> {
        self.with_role(|role| matches!(role, Role::Time { .. })).map(|(sql, _)| sql)
    }
}

impl Selected {
    pub fn list(&self) -> Sql {
        Sql::list(&self.items, ", ")
    }
}

impl<'a> Generator<'a> {
    pub fn new(choices: &'a mut Choices, tables: &'a [Table], base_ms: i64) -> Self {
        Self { choices, tables, base_ms, names: 0, with: Vec::new() }
    }

    pub fn name(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    /// Puts a relation into FROM.
    pub fn seen(&mut self, relation: &Relation) -> Seen {
        let alias = self.name("q");
        let value = |column: &Column| {
            let sql = Sql::text(format!("{alias}.{}", column.name));
            (Value::new(sql, column.kind), column.clone())
        };
        Seen {
            item: Sql::both(&format!("{{0}} AS {alias}"), &[&relation.from]),
            columns: relation.columns.iter().map(value).collect(),
            grows: relation.grows,
            shape: relation.shape.clone(),
        }
    }

    pub fn select_as(&mut self, selected: &mut Selected, sql: &Sql, kind: Kind, role: Role) {
        let name = self.name("c");
        selected.items.push(Sql::both(&format!("{{0}} AS {name}"), &[sql]));
        selected.columns.push(Column { name, kind, role });
    }

    /// A few columns of a relation, none of the kinds that are not wanted.
    pub fn some_columns(&mut self, seen: &Seen, most: usize, wanted: impl Fn(&Column) -> bool) -> Vec<(Value, Column)> {
        let mut fitting: Vec<_> = seen.columns.iter().filter(|(_, column)| wanted(column)).cloned().collect();
        let count = self.choices.below(most + 1).min(fitting.len());
        let mut some = Vec::new();
        for _ in 0..count {
            let place = self.choices.below(fitting.len());
            some.push(fitting.remove(place));
        }
        some
    }

    /// A query for a relation.
    pub fn query(self, relation: &Relation) -> Sql {
        // What stands in parentheses is a query already.
        let query = match relation.from.stream.starts_with('(') {
            true => {
                let inner = |text: &str| text[1..text.len() - 1].to_string();
                Sql { stream: inner(&relation.from.stream), batch: inner(&relation.from.batch) }
            }
            false => Sql::both("SELECT * FROM {0}", &[&relation.from]),
        };
        match self.with.is_empty() {
            true => query,
            false => Sql::both("WITH {0} {1}", &[&Sql::list(&self.with, ", "), &query]),
        }
    }

    /// The relation, under a name that WITH gives it now and then.
    fn maybe_named(&mut self, relation: Relation) -> Relation {
        if self.choices.once_in(8) { self.named(relation) } else { relation }
    }

    /// The relation under a name: the table's, or one that WITH gives to the query.
    pub fn named(&mut self, relation: Relation) -> Relation {
        if !relation.from.stream.starts_with('(') {
            return relation;
        }
        let name = self.name("n");
        self.with.push(Sql::both(&format!("{name} AS {{0}}"), &[&relation.from]));
        Relation { from: Sql::text(name), ..relation }
    }

    /// Any relation, made by so many operators on top of each other at most.
    pub fn relation(&mut self, depth: usize) -> Relation {
        let relation = self.any(depth);
        self.maybe_named(relation)
    }

    fn any(&mut self, depth: usize) -> Relation {
        if depth == 0 {
            return self.table();
        }
        let depth = depth - 1;
        match self.choices.below(17) {
            0 => self.table(),
            1 => self.selection(depth),
            2 | 3 => self.aggregate(depth),
            4 => self.distinct(depth),
            5 | 6 => self.window_aggregate(depth),
            7 | 8 => self.join(depth),
            9 => self.interval_join(depth),
            10 => match self.choices.below(2) {
                0 => self.window_join(depth),
                _ => self.window_aggregate_again(depth),
            },
            11 => self.with_subquery(depth),
            12 => self.set_operation(depth),
            13 => self.top(depth),
            14 => self.window_top(depth),
            15 => self.first_or_last(depth),
            _ => self.over(depth),
        }
    }

    /// A relation whose rows stay and have a time.
    pub fn timed(&mut self, depth: usize) -> Relation {
        let relation = self.any_timed(depth);
        // A full join, say, has no time.
        let relation = if relation.time().is_some() { relation } else { self.table() };
        self.maybe_named(relation)
    }

    fn any_timed(&mut self, depth: usize) -> Relation {
        if depth == 0 {
            return self.table();
        }
        let depth = depth - 1;
        match self.choices.below(7) {
            0 => self.table(),
            1 => self.timed_selection(depth),
            2 => self.timed_union(depth),
            3 => self.window_aggregate(depth),
            4 => self.over_time(depth),
            5 => self.interval_join(depth),
            _ => self.with_time_or_table(depth),
        }
    }

    /// Whatever comes, if it has a time; else a table.
    fn with_time_or_table(&mut self, depth: usize) -> Relation {
        let relation = self.relation(depth + 1);
        if relation.grows && relation.time().is_some() { relation } else { self.table() }
    }

    pub fn table(&mut self) -> Relation {
        let table = self.choices.pick(self.tables);
        let mut columns: Vec<Column> =
            table.all_columns().into_iter().map(|(name, kind)| Column { name, kind, role: Role::Plain }).collect();
        if let Some(time) = columns.last_mut() {
            time.role = Role::Time { unique: !table.ties };
        }
        Relation { from: Sql::text(table.name.clone()), columns, grows: true, shape: "table".to_string() }
    }
}
