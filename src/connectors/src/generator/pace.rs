//! How many rows a split should have put out by a time, under a rate for the whole table. Pure.

/// So many rows in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub rows: u64,
    pub seconds: u64,
}

/// The share of one split in the table's rate.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rate: Rate,
    pub splits: u64,
    pub split: u64,
}

/// Rows are let go in slices of this length, so that a fast table is not chopped into single rows.
pub const SLICE_MS: u64 = 10;

impl Rate {
    pub fn per_second(rows: u64) -> Self {
        Self { rows, seconds: 1 }
    }

    /// Rows after so many milliseconds.
    pub fn rows_after(self, ms: u64) -> u64 {
        (u128::from(ms) * u128::from(self.rows) / (1000 * u128::from(self.seconds))) as u64
    }

    /// The first millisecond after which there are so many rows.
    pub fn ms_for(self, rows: u128) -> u64 {
        (rows * 1000 * u128::from(self.seconds)).div_ceil(u128::from(self.rows)) as u64
    }
}

impl Pace {
    /// Rows due after so many milliseconds.
    pub fn due(&self, elapsed_ms: u64) -> u64 {
        let slice = elapsed_ms / SLICE_MS * SLICE_MS;
        (self.rate.rows_after(slice) + self.splits - 1 - self.split) / self.splits
    }

    /// How long until more than `rows` are due.
    pub fn wait_ms(&self, rows: u64, elapsed_ms: u64) -> u64 {
        let table = u128::from(rows) * u128::from(self.splits) + u128::from(self.split) + 1;
        self.rate.ms_for(table).next_multiple_of(SLICE_MS).saturating_sub(elapsed_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(rows_per_second: u64, splits: u64) -> impl Iterator<Item = Pace> {
        (0..splits).map(move |split| Pace { rate: Rate::per_second(rows_per_second), splits, split })
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
