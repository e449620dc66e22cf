//! The hint `STATE_TTL`: how long a join or an aggregation keeps what comes from a table of its FROM. It is for regular
//! joins and for aggregation without windows; other operators know themselves what they no longer need.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sqlparser::tokenizer::Span;
use tidemill_plan::NodeKind;

use crate::bind::Scope;
use crate::error::{Result, SqlError};
use crate::hints::Lifetimes;
use crate::relation::{Node, Relation};

/// A hint and the columns of the tables that it is about.
pub(super) struct Kept<'a> {
    lifetimes: &'a Lifetimes,
    /// The table's name for each column of FROM that has one.
    owners: BTreeMap<usize, String>,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Kept<'a> {
    /// A name that FROM does not have is refused, as in Flink.
    pub(super) fn of(lifetimes: &'a Lifetimes, scope: &Scope) -> Result<Self> {
        let owners: BTreeMap<usize, String> = scope.owners().map(|(place, owner)| (place, owner.to_string())).collect();
        for name in lifetimes.of_tables.keys() {
            if !owners.values().any(|owner| owner == name) {
                let message = format!("the hint STATE_TTL names `{name}`, which is not in FROM");
                return Err(SqlError::at_location(
                    lifetimes.at,
                    message,
                    "name a table of FROM, by its alias if it has one",
                ));
            }
        }
        Ok(Self { lifetimes, owners, used: RefCell::default() })
    }

    /// The time for what has these columns of FROM, if they are all of one table.
    fn time_for(&self, mut columns: std::ops::Range<usize>) -> Option<u64> {
        let owner = self.owners.get(&columns.next()?)?;
        let time =
            self.lifetimes.of_tables.get(owner).filter(|_| columns.all(|place| self.owners.get(&place) == Some(owner)));
        time.inspect(|_| {
            self.used.borrow_mut().insert(owner.clone());
        })
        .copied()
    }

    /// Sets the times of the joins that FROM is made of, whose columns begin at a place of its.
    pub(super) fn set_in_joins(&self, relation: &mut Relation, begin: usize) {
        match &mut relation.node {
            // Conditions alone stand above joins: the columns are the same.
            Node::Calc { input, .. } => self.set_in_joins(input, begin),
            Node::Operator { kind, inputs } => {
                let (NodeKind::Join(join), [left, right]) = (&mut **kind, inputs.as_mut_slice()) else { return };
                let middle = begin + left.fields.len();
                // A join within a table of FROM is not of this query.
                let owner = self.owners.get(&begin);
                if (begin..middle + right.fields.len()).all(|place| self.owners.get(&place) == owner) {
                    return;
                }
                let sides = [begin..middle, middle..middle + right.fields.len()];
                join.state_ttl_ms = sides.map(|side| self.time_for(side));
                self.set_in_joins(left, begin);
                self.set_in_joins(right, middle);
            }
            _ => {}
        }
    }

    /// Sets the time of an aggregation of one table's rows.
    pub(super) fn set_in_aggregation(&self, relation: &mut Relation) {
        let Node::Operator { kind, .. } = &mut relation.node else { return };
        let NodeKind::GroupAggregate(aggregate) = &mut **kind else { return };
        let width = self.owners.keys().next_back().map_or(0, |last| last + 1);
        aggregate.state_ttl_ms = self.time_for(0..width);
    }

    /// What has changed nothing, and where it is written.
    pub(super) fn unused(&self) -> Vec<(Span, String)> {
        let used = self.used.borrow();
        let unused = self.lifetimes.of_tables.keys().filter(|name| !used.contains(*name));
        let warning = |name: &String| {
            let message = format!(
                "the hint STATE_TTL has no effect for `{name}`: it is for regular joins and for aggregation without windows"
            );
            (Span::new(self.lifetimes.at, self.lifetimes.at), message)
        };
        unused.map(warning).collect()
    }
}
