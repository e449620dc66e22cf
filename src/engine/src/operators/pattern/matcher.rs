//! Offers rows to the searches of their partitions, and evaluates what conditions need for it.
//!
//! A condition that reads no more than the row itself is evaluated for all rows at once. The others are evaluated row
//! by row, but for all partitions and partial matches that look at a row at the same time: the first rows of all
//! partitions go first, then the second ones, and so on.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use tidemill_model::status::{Problem, ProblemKind};

use super::log::{Log, Logged};
use super::nfa::Holds;
use super::path::View;
use super::search::{Match, Rules, Search, SkipFault};
use super::values::{Formula, Site};
use crate::operator::Result;
use crate::rows::{RowId, RowStore};

/// What a row must be to be taken for an element.
pub enum Condition {
    None,
    /// It reads the row only.
    Row(Formula),
    /// It reads other rows of the match, too.
    Match(Formula),
}

/// One partition's rows and search.
#[derive(Default)]
pub struct Partition {
    pub log: Log,
    pub search: Search,
    /// Rows that wait for the watermark.
    pub waiting: usize,
    /// Whether it is among [`Matcher::live`].
    is_live: bool,
}

/// Rows to be taken in: those of a partition together, and in order.
#[derive(Default)]
pub struct Due {
    pub ids: Vec<RowId>,
    pub groups: Vec<u32>,
    pub times: Vec<i64>,
}

/// A match in the partition of this group.
pub struct Found {
    pub group: u32,
    pub found: Match,
}

/// See the module.
pub struct Matcher {
    pub uid: String,
    pub rules: Rules,
    /// By element.
    pub conditions: Vec<Condition>,
    /// The names of the elements' variables.
    pub names: Vec<String>,
    /// Rows before a match that may be read.
    pub reads_before: u64,
    pub store: RowStore,
    pub partitions: Vec<Partition>,
    /// Partitions that may have partial matches.
    live: Vec<u32>,
    /// Matches, to be put out before anything is forgotten.
    pub found: Vec<Found>,
}

/// What is known of rows before they are offered: for which elements they hold, but for those that are `asked` for
/// each partial match.
struct Verdicts {
    holds: Vec<Holds>,
    asked: Holds,
}

impl Matcher {
    pub fn new(
        uid: &str,
        rules: Rules,
        conditions: Vec<Condition>,
        names: Vec<String>,
        reads_before: u64,
        store: RowStore,
    ) -> Self {
        let (partitions, live, found) = (Vec::new(), Vec::new(), Vec::new());
        Self { uid: uid.to_string(), rules, conditions, names, reads_before, store, partitions, live, found }
    }

    /// Takes rows in.
    pub fn take(&mut self, due: &Due) -> Result<()> {
        let verdicts = self.verdicts(due)?;
        let mut queues = runs(&due.groups);
        while !queues.is_empty() {
            self.offer(due, &verdicts, &queues)?;
            queues.iter_mut().for_each(|queue| queue.start += 1);
            queues.retain(|queue| !queue.is_empty());
        }
        Ok(())
    }

    /// Forgets partial matches that can no longer become complete in time.
    pub fn expire(&mut self, time: i64) -> Result<()> {
        self.for_each_live(|search, rules, matches| search.expire(rules, time, matches))
    }

    /// Forgets the rows that are no longer needed.
    pub fn forget_rows(&mut self) {
        for group in std::mem::take(&mut self.live) {
            let partition = &mut self.partitions[group as usize];
            let needed = partition.search.needed_from().unwrap_or_else(|| partition.log.next());
            for row in partition.log.forget_before(needed.saturating_sub(self.reads_before)) {
                self.store.remove(row.id);
            }
            partition.is_live = !partition.search.is_idle();
            if partition.is_live {
                self.live.push(group);
            }
        }
    }

    /// Forgets partitions, when those `kept` have new numbers.
    pub fn forget_partitions(&mut self, kept: impl Fn(u32) -> Option<u32>) {
        let mut group = 0;
        self.partitions.retain(|_| {
            group += 1;
            kept(group - 1).is_some()
        });
        self.live = self.live.iter().filter_map(|group| kept(*group)).collect();
    }

    fn for_each_live(
        &mut self,
        mut each: impl FnMut(&mut Search, &Rules, &mut Vec<Match>) -> std::result::Result<(), SkipFault>,
    ) -> Result<()> {
        let mut matches = Vec::new();
        for group in &self.live {
            let search = &mut self.partitions[*group as usize].search;
            each(search, &self.rules, &mut matches).map_err(|fault| skip_problem(&self.uid, &self.names, fault))?;
            self.found.extend(matches.drain(..).map(|found| Found { group: *group, found }));
        }
        Ok(())
    }

    /// Evaluates what can be for all rows at once. A condition that fails on one of them is asked for each, since the
    /// row may never be offered to it.
    fn verdicts(&self, due: &Due) -> Result<Verdicts> {
        let mut verdicts = Verdicts { holds: vec![0; due.ids.len()], asked: 0 };
        let rows = self.store.batch(&due.ids)?;
        for (element, condition) in self.conditions.iter().enumerate() {
            match condition {
                Condition::None => verdicts.holds.iter_mut().for_each(|holds| *holds |= 1 << element),
                Condition::Match(_) => verdicts.asked |= 1 << element,
                Condition::Row(formula) => match formula.of_candidates(&rows) {
                    Ok(values) => for_each_true(&values, |row| verdicts.holds[row] |= 1 << element),
                    Err(_) => verdicts.asked |= 1 << element,
                },
            }
        }
        Ok(verdicts)
    }

    /// Offers the first row of each queue.
    fn offer(&mut self, due: &Due, verdicts: &Verdicts, queues: &[Range<usize>]) -> Result<()> {
        let mut holds = Vec::new();
        let mut matches = Vec::new();
        for place in queues.iter().map(|queue| queue.start) {
            let (group, time) = (due.groups[place], due.times[place]);
            let partition = &mut self.partitions[group as usize];
            if !std::mem::replace(&mut partition.is_live, true) {
                self.live.push(group);
            }
            (partition.search.expire(&self.rules, time, &mut matches))
                .map_err(|fault| skip_problem(&self.uid, &self.names, fault))?;
            self.found.extend(matches.drain(..).map(|found| Found { group, found }));
            partition.log.push(Logged { id: due.ids[place], time });
            holds.resize(holds.len() + partition.search.offer_count(), verdicts.holds[place]);
        }
        self.ask(due, verdicts.asked, queues, &mut holds)?;
        let mut holds = &holds[..];
        for place in queues.iter().map(|queue| queue.start) {
            let (group, time) = (due.groups[place], due.times[place]);
            let partition = &mut self.partitions[group as usize];
            let (offered, rest) = holds.split_at(partition.search.offer_count());
            holds = rest;
            let row = partition.log.next() - 1;
            (partition.search.step(&self.rules, (row, time), offered, &mut matches))
                .map_err(|fault| skip_problem(&self.uid, &self.names, fault))?;
            self.found.extend(matches.drain(..).map(|found| Found { group, found }));
        }
        Ok(())
    }

    /// Evaluates the conditions of the elements `asked` for every partial match that a row is offered to.
    fn ask(&self, due: &Due, asked: Holds, queues: &[Range<usize>], holds: &mut [Holds]) -> Result<()> {
        for element in (0..self.conditions.len()).filter(|element| asked >> element & 1 == 1) {
            let (Condition::Row(formula) | Condition::Match(formula)) = &self.conditions[element] else { continue };
            let (mut sites, mut places, mut place) = (Vec::new(), Vec::new(), 0);
            for queue in queues {
                let Partition { log, search, .. } = &self.partitions[due.groups[queue.start] as usize];
                for (stands, view) in search.offers(log.next() - 1) {
                    if self.rules.nfa.asks(stands, element) {
                        sites.push(Site { log, view: View { candidate: Some(element), ..view } });
                        places.push(place);
                    }
                    place += 1;
                }
            }
            if !sites.is_empty() {
                let values = formula.of_sites(&sites, &self.store)?;
                for_each_true(&values, |site| holds[places[site]] |= 1 << element);
            }
        }
        Ok(())
    }
}

fn for_each_true(values: &ArrayRef, each: impl FnMut(usize)) {
    let values = values.as_boolean();
    let is_true = match values.nulls() {
        Some(nulls) => values.values() & nulls.inner(),
        None => values.values().clone(),
    };
    is_true.set_indices().for_each(each);
}

/// The ranges of equal neighbours.
fn runs(groups: &[u32]) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = groups.chunk_by(|left, right| left == right).map(|run| {
        let end = start + run.len();
        std::mem::replace(&mut start, end)..end
    });
    ends.collect()
}

fn skip_problem(uid: &str, names: &[String], fault: SkipFault) -> Problem {
    let (message, remedy) = match fault {
        SkipFault::NoSuchRow(element) => (
            format!("after a match, the search cannot skip to `{0}`: the match has no row for `{0}`", names[element]),
            "skip to a variable that every match has a row for, or skip to the next row or past the last",
        ),
        SkipFault::FirstRow(element) => (
            format!(
                "after a match, the search cannot skip to `{}`: that is the first row of the match, which would be \
                 found again for ever",
                names[element]
            ),
            "skip to a later variable, or skip to the next row or past the last",
        ),
    };
    Problem { kind: ProblemKind::ExpressionFailed, object: uid.to_string(), message, remedy: remedy.to_string() }
}
