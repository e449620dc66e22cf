//! Matches a batch's rows with stored rows near their times.

use arrow::array::ArrayRef;
use tidemill_plan::{Change, JoinKind};

use super::interval::IntervalSide;
use super::on::{On, Pairs};
use super::regular::{keeps_unmatched, tracked};
use super::results::{ResultShape, Results};
use super::{PAIRS, Side};
use crate::element::Element;
use crate::operator::{Output, Result};
use crate::rows::{NO_ROW, RowId, RowStore};

/// The matching of one batch.
pub struct IntervalMatching<'a> {
    kind: JoinKind,
    on: &'a On,
    shape: &'a ResultShape,
    side: Side,
    columns: &'a [ArrayRef],
    pairs: Pairs,
    results: Results,
    /// Whether each of the batch's rows has a match, if it matters.
    found: Option<Vec<bool>>,
}

impl<'a> IntervalMatching<'a> {
    pub fn new(kind: JoinKind, on: &'a On, shape: &'a ResultShape, side: Side, columns: &'a [ArrayRef]) -> Self {
        let found = tracked(kind)[side].then(|| vec![false; columns.first().map_or(0, |column| column.len())]);
        Self { kind, on, shape, side, columns, pairs: Pairs::default(), results: Results::default(), found }
    }

    /// Takes a pair of rows with equal keys and times near each other.
    pub fn pair(&mut self, row: u32, id: RowId, stored: &mut IntervalSide, output: &mut Output) -> Result<()> {
        self.pairs.push(row, id);
        if self.pairs.len() < PAIRS {
            return Ok(());
        }
        self.settle(stored)?;
        if self.results.is_full() { self.put_out(&stored.rows, output) } else { Ok(()) }
    }

    /// Puts out what is left, and the rows without a match that can get none later. Returns which rows have a match.
    pub fn finish(
        mut self,
        stored: &mut IntervalSide,
        is_over: impl Fn(usize) -> bool,
        output: &mut Output,
    ) -> Result<Option<Vec<bool>>> {
        self.settle(stored)?;
        let puts_unmatched_out = keeps_unmatched(self.kind, self.side);
        for (row, is_matched) in self.found.iter().flatten().enumerate() {
            let is_result = match is_matched {
                true => self.kind == JoinKind::Semi,
                false => puts_unmatched_out && is_over(row),
            };
            if is_result {
                self.results.push(row as u32, NO_ROW, Change::Insert);
            }
        }
        if !self.results.is_empty() {
            self.put_out(&stored.rows, output)?;
        }
        Ok(self.found)
    }

    fn settle(&mut self, stored: &mut IntervalSide) -> Result<()> {
        let Self { kind, on, side, columns, pairs, results, found, .. } = self;
        on.keep_matches(*side, columns, &stored.rows, pairs)?;
        if let Some(found) = found {
            pairs.rows.iter().for_each(|row| found[*row as usize] = true);
        }
        if let Some(is_matched) = &mut stored.is_matched {
            for id in &pairs.ids {
                let is_first = !std::mem::replace(&mut is_matched[*id as usize], true);
                if is_first && *kind == JoinKind::Semi {
                    results.push(NO_ROW, *id, Change::Insert);
                }
            }
        }
        if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
            results.extend(&pairs.rows, &pairs.ids);
        }
        pairs.clear();
        Ok(())
    }

    fn put_out(&mut self, stored: &RowStore, output: &mut Output) -> Result<()> {
        let rows = self.shape.take(self.side, self.columns, stored, &mut self.results)?;
        output.push(Element::Batch(rows));
        Ok(())
    }
}
