//! FIRST_VALUE and LAST_VALUE where rows are taken back.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::sequence::Sequences;
use super::{Accumulator, Made, Rows, Which};

#[derive(Clone, Copy)]
pub enum Side {
    First,
    Last,
}

pub fn first_or_last(argument: &DataType, side: Side) -> Made {
    Some(Box::new(FirstOrLast { values: Sequences::new(argument)?, side }))
}

struct FirstOrLast {
    values: Sequences,
    side: Side,
}

impl Accumulator for FirstOrLast {
    fn grow(&mut self, count: usize) {
        self.values.grow(count);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.add(rows)
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.values.remove(rows)
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.values.merge(groups, states)
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.values.states(which)
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        let id = |group: usize| match self.side {
            Side::First => self.values.first(group),
            Side::Last => self.values.last(group),
        };
        let ids: Vec<Option<u32>> = match which {
            Which::All => (0..self.values.len()).map(id).collect(),
            Which::These(groups) => groups.iter().map(|group| id(*group as usize)).collect(),
        };
        self.values.values(&ids)
    }

    fn clear(&mut self, groups: &[u32]) {
        self.values.clear(groups);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        self.values.retain(keep)
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }
}
