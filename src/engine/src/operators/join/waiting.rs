//! Rows that wait for the watermark, in the order in which they came.

use tidemill_plan::Change;

use crate::rows::RowId;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitingRow {
    pub group: u32,
    pub time: i64,
    pub id: RowId,
    pub change: Change,
}

/// The rows batch by batch, so that a watermark passes over batches that are all later.
#[derive(Default)]
pub struct Waiting {
    batches: Vec<Batch>,
}

struct Batch {
    earliest: i64,
    rows: Vec<WaitingRow>,
}

impl Batch {
    fn new(rows: Vec<WaitingRow>) -> Option<Self> {
        let earliest = rows.iter().map(|row| row.time).min()?;
        Some(Self { earliest, rows })
    }
}

impl Waiting {
    pub fn push(&mut self, rows: Vec<WaitingRow>) {
        self.batches.extend(Batch::new(rows));
    }

    /// Takes out the rows with this time or an earlier one.
    pub fn take_until(&mut self, time: i64) -> Vec<WaitingRow> {
        let mut due = Vec::new();
        let mut later = Vec::with_capacity(self.batches.len());
        for batch in std::mem::take(&mut self.batches) {
            if batch.earliest > time {
                later.push(batch);
                continue;
            }
            let (now, then): (Vec<_>, Vec<_>) = batch.rows.into_iter().partition(|row| row.time <= time);
            due.extend(now);
            later.extend(Batch::new(then));
        }
        self.batches = later;
        due
    }

    pub fn rows(&self) -> impl Iterator<Item = &WaitingRow> {
        self.batches.iter().flat_map(|batch| &batch.rows)
    }

    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut WaitingRow> {
        self.batches.iter_mut().flat_map(|batch| &mut batch.rows)
    }

    pub fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.rows.capacity() * size_of::<WaitingRow>()).sum()
    }
}
