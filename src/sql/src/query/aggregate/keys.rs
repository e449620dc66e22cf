//! What GROUP BY lists: keys, windows, and sets of keys (`GROUPING SETS`, `CUBE`, `ROLLUP`).

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, GroupByExpr, Select, Spanned};
use sqlparser::tokenizer::Span;

use crate::bind::{Binder, Typed};
use crate::error::{Result, SqlError};
use crate::query::window::GroupWindow;
use crate::relation::Role;

/// The most sets of keys: every row is copied for each.
const MOST_SETS: usize = 1024;

pub(super) struct Grouping {
    pub keys: Vec<Key>,
    /// The places of the keys that rows are grouped by, once for each set.
    pub sets: Vec<BTreeSet<usize>>,
    pub window: Option<(GroupWindow, Span)>,
}

pub(super) struct Key {
    pub value: Typed,
    pub name: String,
    pub role: Role,
}

impl Grouping {
    pub(super) fn of(select: &Select, binder: Binder<'_>) -> Result<Self> {
        let written = written(select)?;
        let mut grouping = Self { keys: Vec::new(), sets: vec![BTreeSet::new()], window: None };
        for item in written {
            match GroupWindow::of_key(item, binder)? {
                Some(_) if grouping.window.is_some() => {
                    let message = "GROUP BY has a second window";
                    return Err(SqlError::new(item.span(), message, "aggregate the result of the first in the second"));
                }
                Some(window) => grouping.window = Some((window, item.span())),
                None => grouping.add(item, binder)?,
            }
        }
        Ok(grouping)
    }

    /// By each of these values.
    pub(super) fn by(values: Vec<Typed>) -> Self {
        let sets = vec![(0..values.len()).collect()];
        let key = |value| Key { value, name: "key".to_string(), role: Role::Plain };
        Self { keys: values.into_iter().map(key).collect(), sets, window: None }
    }

    /// Whether there is more than GROUP BY a, b.
    pub(super) fn has_sets(&self) -> bool {
        self.sets.len() != 1
    }

    pub(super) fn is_in_every_set(&self, key: usize) -> bool {
        self.sets.iter().all(|set| set.contains(&key))
    }

    fn add(&mut self, item: &Expr, binder: Binder<'_>) -> Result<()> {
        let mut alternatives = Vec::new();
        for set in sets_of(item) {
            let places = set.into_iter().map(|key| self.key(key, binder)).collect::<Result<BTreeSet<_>>>()?;
            alternatives.push(places);
        }
        if self.sets.len() * alternatives.len() > MOST_SETS {
            let message = format!("GROUP BY has more than {MOST_SETS} sets of keys");
            return Err(SqlError::new(item.span(), message, "list the sets that are needed in GROUPING SETS"));
        }
        let joined = |set: &BTreeSet<usize>| alternatives.iter().map(|more| set | more).collect::<Vec<_>>();
        self.sets = self.sets.iter().flat_map(joined).collect();
        Ok(())
    }

    fn key(&mut self, written: &Expr, binder: Binder<'_>) -> Result<usize> {
        if let Expr::Value(value) = written {
            let remedy = "name the columns: Flink takes a number in GROUP BY for a constant";
            return Err(SqlError::new(value.span, "GROUP BY a constant is not supported", remedy));
        }
        let (value, role) = binder.bind_column(written)?;
        if let Some(place) = self.keys.iter().position(|key| key.value == value) {
            return Ok(place);
        }
        self.keys.push(Key { value, name: name_of(written), role });
        Ok(self.keys.len() - 1)
    }
}

fn written(select: &Select) -> Result<&[Expr]> {
    match &select.group_by {
        GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => Ok(expressions),
        other => Err(SqlError::new(other.span(), "this form of GROUP BY is not supported", "list the keys")),
    }
}

/// The sets of keys that an item of GROUP BY stands for.
fn sets_of(item: &Expr) -> Vec<Vec<&Expr>> {
    match item {
        Expr::GroupingSets(sets) => sets.iter().map(|set| set.iter().collect()).collect(),
        Expr::Rollup(parts) => {
            (0..=parts.len()).rev().map(|length| parts[..length].iter().flatten().collect()).collect()
        }
        Expr::Cube(parts) => subsets(parts),
        Expr::Tuple(keys) => vec![keys.iter().collect()],
        Expr::Nested(inner) => sets_of(inner),
        key => vec![vec![key]],
    }
}

/// All choices of the parts, that of all of them first. They are cut off where there are too many anyway.
fn subsets(parts: &[Vec<Expr>]) -> Vec<Vec<&Expr>> {
    let count = 1usize << parts.len().min(16);
    let chosen = |choice: usize| {
        let is_in = move |place: &usize| choice >> place & 1 == 0;
        (0..parts.len()).filter(is_in).flat_map(|place| &parts[place]).collect()
    };
    (0..count).map(chosen).collect()
}

fn name_of(expression: &Expr) -> String {
    match expression {
        Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.clone()).unwrap_or_default(),
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    }
}
