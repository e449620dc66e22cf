//! How many rows a split should have put out by a time, under a rate for the whole table. Pure.

/// The share of one split in the table's rate.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rows_per_second: u64,
    pub splits: u64,
    pub split: u64,
}

/// Rows are let go in slices of this length, so that a fast table is not chopped into single rows.
pub const SLICE_MS: u64 = 10;

impl Pace {
    /// Rows due after so many milliseconds.
    pub fn due(&self, elapsed_ms: u64) -> u64 {
        let slice = elapsed_ms / SLICE_MS * SLICE_MS;
        let table = (u128::from(slice) * u128::from(self.rows_per_second) / 1000) as u64;
        (table + self.splits - 1 - self.split) / self.splits
    }

    /// How long until more than `rows` are due.
    pub fn wait_ms(&self, rows: u64, elapsed_ms: u64) -> u64 {
        let table = u128::from(rows) * u128::from(self.splits) + u128::from(self.split) + 1;
        let at = (table * 1000).div_ceil(u128::from(self.rows_per_second)) as u64;
        at.next_multiple_of(SLICE_MS).saturating_sub(elapsed_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(rows_per_second: u64, splits: u64) -> impl Iterator<Item = Pace> {
        (0..splits).map(move |split| Pace { rows_per_second, splits, split })
    }

    #[test]
    fn the_splits_together_keep_the_tables_rate() {
        for (rate, count) in [(1, 3), (7, 8), (1000, 8), (1_000_003, 5)] {
            for ms in [0, 10, 990, 1000, 60_000] {
                let due: u64 = splits(rate, count).map(|pace| pace.due(ms)).sum();
                assert_eq!(due, rate * ms / 1000, "{rate}/s over {count} splits after {ms} ms");
            }
        }
    }

    #[test]
    fn after_the_wait_a_row_is_due_and_before_it_none() {
        for pace in splits(7, 3).chain(splits(5000, 4)) {
            for rows in [0, 1, 10] {
                let wait = pace.wait_ms(rows, 0);
                assert!(pace.due(wait) > rows, "{pace:?} {rows}");
                assert!(pace.due(wait - 1) <= rows, "{pace:?} {rows}");
            }
        }
    }
}
