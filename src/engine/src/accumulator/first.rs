//! FIRST_VALUE and LAST_VALUE where rows are taken back.

use arrow::datatypes::DataType;

use super::sequence::{InOrder, Sequences};
use super::{Made, Which};

#[derive(Clone, Copy)]
pub enum Side {
    First,
    Last,
}

pub fn first_or_last(argument: &DataType, side: Side) -> Made {
    let result = move |values: &Sequences, which: Which<'_>| {
        let id = |group: usize| match side {
            Side::First => values.first(group),
            Side::Last => values.last(group),
        };
        let ids: Vec<Option<u32>> = match which {
            Which::All => (0..values.len()).map(id).collect(),
            Which::These(groups) => groups.iter().map(|group| id(*group as usize)).collect(),
        };
        values.values(&ids)
    };
    Some(Box::new(InOrder { values: Sequences::new(argument)?, result }))
}
