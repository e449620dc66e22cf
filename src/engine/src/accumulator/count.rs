//! COUNT.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;

use super::{Accumulator, Rows, Which, keep_only, pick};

/// Rows that count, by group.
#[derive(Default)]
pub struct Count {
    pub counts: Vec<i64>,
}

impl Count {
    fn add(&mut self, rows: &Rows<'_>, each: i64) {
        let counts = &mut self.counts[..];
        match rows.single {
            Some(group) => counts[group as usize] += each * rows.count() as i64,
            None => rows.for_each(|_, group| counts[group] += each),
        }
    }

    pub fn column(&self, which: Which<'_>) -> ArrayRef {
        Arc::new(Int64Array::from(pick(&self.counts, which)))
    }
}

impl Accumulator for Count {
    fn grow(&mut self, count: usize) {
        self.counts.resize(count, 0);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.add(rows, 1);
        Ok(())
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.add(rows, -1);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        let partial = states[0].as_primitive::<Int64Type>().values();
        for (group, partial) in groups.iter().zip(partial) {
            self.counts[*group as usize] += partial;
        }
        Ok(())
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.column(which)])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        Ok(self.column(which))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.counts[*group as usize] = 0);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.counts, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}
