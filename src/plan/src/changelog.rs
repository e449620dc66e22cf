//! How the rows on an edge of the dataflow are meant: as more and more rows, or as changes of a table.

use serde::{Deserialize, Serialize};

/// What the batches of an edge say. On every edge but [`Changelog::Append`] they have one column more than the node's
/// schema, the last: [`CHANGE`], Int8, never NULL, whose values are [`Change`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changelog {
    /// Every row is one more; none is ever taken back.
    #[default]
    Append,
    /// Rows come and go: what is taken back was there before, equal in every column.
    Retract,
    /// A row takes the place of the former one with the same values in these columns, without an
    /// [`Change::UpdateBefore`]; only they need to be right in a [`Change::Delete`].
    Upsert { key: Vec<usize> },
}

impl Changelog {
    pub fn is_append(&self) -> bool {
        matches!(self, Self::Append)
    }
}

/// The name of the column that tells what becomes of a row.
pub const CHANGE: &str = "$change";

/// What becomes of a row, as Flink's `RowKind` has it, value by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Change {
    Insert = 0,
    /// The row is taken back, for [`Change::UpdateAfter`] follows.
    UpdateBefore = 1,
    UpdateAfter = 2,
    Delete = 3,
}

impl Change {
    /// Whether the row is there afterwards.
    pub fn is_addition(self) -> bool {
        matches!(self, Self::Insert | Self::UpdateAfter)
    }

    /// From the column's value; none for one that is no change.
    pub fn of(value: i8) -> Option<Self> {
        [Self::Insert, Self::UpdateBefore, Self::UpdateAfter, Self::Delete]
            .into_iter()
            .find(|kind| *kind as i8 == value)
    }

    /// As Flink prints it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_found_by_its_value() {
        for change in [Change::Insert, Change::UpdateBefore, Change::UpdateAfter, Change::Delete] {
            assert_eq!(Change::of(change as i8), Some(change));
        }
        assert_eq!(Change::of(4), None);
    }
}
