//! A partition's rows, as far as they are still needed, by their numbers.

use std::collections::VecDeque;

use super::path::RowNumber;
use crate::rows::RowId;

/// See the module. Rows are numbered from 0 as they are taken in.
#[derive(Debug, Default)]
pub struct Log {
    rows: VecDeque<Logged>,
    /// The number of the first row that is here.
    first: RowNumber,
}

/// A row that was taken in.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    pub id: RowId,
    /// The time that it was taken in as, by the operator's clock.
    pub time: i64,
}

impl Log {
    /// The number that the next row gets.
    pub fn next(&self) -> RowNumber {
        self.first + self.rows.len() as RowNumber
    }

    pub fn push(&mut self, row: Logged) {
        self.rows.push_back(row);
    }

    pub fn id(&self, row: RowNumber) -> Option<RowId> {
        let place = row.checked_sub(self.first)?;
        self.rows.get(usize::try_from(place).ok()?).map(|row| row.id)
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows and their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RowNumber, Logged)> {
        (self.first..).zip(self.rows.iter().copied())
    }

    /// Forgets the rows before one, and says which they were.
    pub fn forget_before(&mut self, row: RowNumber) -> impl Iterator<Item = Logged> {
        let count = row.min(self.next()).saturating_sub(self.first);
        self.first += count;
        self.rows.drain(..count as usize)
    }
}
