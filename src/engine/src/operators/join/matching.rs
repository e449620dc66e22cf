//! Matches a batch's rows with the stored rows of the other side, and puts out what comes of it.

use arrow::array::{ArrayRef, Int8Array};
use tidemill_plan::{Change, JoinKind};

use super::on::{On, Pairs};
use super::regular::{keeps_unmatched, on_first_match};
use super::results::{ResultShape, Results};
use super::side::{JoinSide, Stored, UNKNOWN};
use super::{PAIRS, Side};
use crate::change::is_addition;
use crate::element::Element;
use crate::operator::{Output, Result};
use crate::rows::{NO_ROW, RowStore};

/// Rows of one side whose keys can match.
pub struct Batch<'a> {
    pub side: Side,
    pub columns: &'a [ArrayRef],
    pub changes: Option<&'a Int8Array>,
    pub groups: &'a [u32],
    pub stored: &'a Stored,
}

/// The matching of one batch.
pub struct Matching<'a> {
    kind: JoinKind,
    on: &'a On,
    shape: &'a ResultShape,
    batch: Batch<'a>,
    pairs: Pairs,
    results: Results,
    /// The number of matches of each of the batch's rows, if they are counted.
    found: Option<Vec<u32>>,
}

impl<'a> Matching<'a> {
    pub fn new(kind: JoinKind, on: &'a On, shape: &'a ResultShape, batch: Batch<'a>, is_tracked: bool) -> Self {
        let found = is_tracked.then(|| vec![0; batch.groups.len()]);
        Self { kind, on, shape, batch, pairs: Pairs::default(), results: Results::default(), found }
    }

    pub fn run(&mut self, other: &mut JoinSide, output: &mut Output) -> Result<()> {
        let JoinSide { rows: stored, chains, matches, .. } = other;
        for (row, group) in self.batch.groups.iter().enumerate() {
            if self.is_void(row) {
                continue;
            }
            for id in chains.rows(*group) {
                self.pairs.push(row as u32, id);
                if self.pairs.len() == PAIRS {
                    self.settle(stored, matches.as_mut())?;
                    self.put_out_if(Results::is_full, stored, output)?;
                }
            }
        }
        self.settle(stored, matches.as_mut())?;
        self.settle_own();
        self.put_out_if(|results| !results.is_empty(), stored, output)
    }

    /// Notes how many matches the rows have that are stored now.
    pub fn note(self, matches: Option<&mut Vec<u32>>) {
        let (Some(matches), Some(found)) = (matches, self.found) else { return };
        for (id, found) in self.batch.stored.ids.iter().zip(found).filter(|(id, _)| **id != NO_ROW) {
            matches[*id as usize] = found;
        }
    }

    /// Turns pairs into results.
    fn settle(&mut self, stored: &RowStore, matches: Option<&mut Vec<u32>>) -> Result<()> {
        let Self { kind, on, batch, pairs, results, found, .. } = self;
        on.keep_matches(batch.side, batch.columns, stored, pairs)?;
        if let Some(found) = found {
            pairs.rows.iter().for_each(|row| found[*row as usize] += 1);
        }
        let has_pairs = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
        match matches {
            Some(matches) => settle_counted(*kind, batch.changes, matches, pairs, results),
            None if !has_pairs => {}
            None if batch.changes.is_none() => results.extend(&pairs.rows, &pairs.ids),
            None => {
                for (row, id) in pairs.rows.iter().zip(&pairs.ids) {
                    results.push(*row, *id, change_of(*kind, batch.changes, *row as usize));
                }
            }
        }
        pairs.clear();
        Ok(())
    }

    /// What is put out for the batch's rows themselves, because of having matches or none.
    fn settle_own(&mut self) {
        let Some(found) = &self.found else { return };
        let is_unmatched_wanted = keeps_unmatched(self.kind, self.batch.side);
        let has_pairs = !matches!(self.kind, JoinKind::Semi | JoinKind::Anti);
        debug_assert!(is_unmatched_wanted || !has_pairs, "matches are counted for a reason");
        let had = &self.batch.stored.had;
        let mut results = std::mem::take(&mut self.results);
        for (row, found) in found.iter().enumerate().filter(|(row, _)| !self.is_void(*row)) {
            let matches = had.get(row).copied().filter(|had| *had != UNKNOWN).unwrap_or(*found);
            if (matches == 0) == is_unmatched_wanted {
                results.push(row as u32, NO_ROW, change_of(self.kind, self.batch.changes, row));
            }
        }
        self.results = results;
    }

    fn put_out_if(&mut self, condition: fn(&Results) -> bool, stored: &RowStore, output: &mut Output) -> Result<()> {
        if condition(&self.results) {
            let rows = self.shape.take(self.batch.side, self.batch.columns, stored, &mut self.results)?;
            output.push(Element::Batch(rows));
        }
        Ok(())
    }

    fn is_void(&self, row: usize) -> bool {
        self.batch.stored.is_void.get(row).is_some_and(|is_void| *is_void)
    }
}

/// Pairs with stored rows whose matches are counted: each pair, and what follows from a first match or a last one lost.
fn settle_counted(
    kind: JoinKind,
    changes: Option<&Int8Array>,
    matches: &mut [u32],
    pairs: &Pairs,
    results: &mut Results,
) {
    let has_pairs = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let first = on_first_match(kind);
    let last = if first == Change::Insert { Change::Delete } else { Change::Insert };
    for (row, id) in pairs.rows.iter().zip(&pairs.ids) {
        let count = &mut matches[*id as usize];
        if is_addition(changes, *row as usize) {
            if *count == 0 {
                results.push(NO_ROW, *id, first);
            }
            *count += 1;
            if has_pairs {
                results.push(*row, *id, Change::Insert);
            }
        } else {
            if has_pairs {
                results.push(*row, *id, Change::Delete);
            }
            // A pair that is taken back was counted when the later of its rows came.
            *count -= 1;
            if *count == 0 {
                results.push(NO_ROW, *id, last);
            }
        }
    }
}

/// As in Flink: the results of an inner join change in the way in which the row does, those of others only come and go.
fn change_of(kind: JoinKind, changes: Option<&Int8Array>, row: usize) -> Change {
    match changes.and_then(|changes| Change::of(changes.value(row))) {
        None => Change::Insert,
        Some(change) if kind == JoinKind::Inner => change,
        Some(change) if change.is_addition() => Change::Insert,
        Some(_) => Change::Delete,
    }
}
