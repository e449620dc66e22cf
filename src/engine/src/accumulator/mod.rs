//! Accumulators: one aggregate's value for every group, as columns of values.
//!
//! [`Aggregates`] holds all calls of a node. Each has an [`Accumulator`], which takes in whole batches of rows whose
//! groups are known by number; DISTINCT calls on the same column share one set of values ([`distinct`]). Accumulators
//! for inputs that only add rows are small and fast; those for inputs that take rows back remember what they need to.

mod array_agg;
mod bytes;
mod collect;
mod count;
mod distinct;
mod first;
mod hyper_log_log;
mod kept;
mod keyed;
mod lists;
mod moments;
mod multiset;
mod percentile;
mod sequence;
mod set;
mod sum;
#[cfg(test)]
mod tests;
mod text_list;

pub use keyed::{BuildError, KeyedSpec};
pub use set::{Aggregates, Call, Unsupported, additions};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMillisecondType,
};
use arrow::error::ArrowError;
use tidemill_plan::AggregateFunction;

/// Whether rows that were taken in may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Append,
    Updating,
}

/// Some groups, in the order in which their values are wanted.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    All,
    These(&'a [u32]),
}

/// Rows to take in or back.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Each row's group.
    pub groups: &'a [u32],
    /// The group of all rows, if they have the same.
    pub single: Option<u32>,
    pub argument: Option<&'a ArrayRef>,
    /// The rows that count; none if all do.
    pub counted: Option<&'a NullBuffer>,
}

impl<'a> Rows<'a> {
    pub fn new(groups: &'a [u32], argument: Option<&'a ArrayRef>, counted: Option<&'a NullBuffer>) -> Self {
        Self { groups, single: single(groups), argument, counted }
    }

    /// Calls `each` with every row that counts and its group.
    fn for_each(&self, mut each: impl FnMut(usize, usize)) {
        match self.counted {
            None => self.groups.iter().enumerate().for_each(|(row, group)| each(row, *group as usize)),
            Some(counted) => counted.valid_indices().for_each(|row| each(row, self.groups[row] as usize)),
        }
    }

    /// How many rows count.
    fn count(&self) -> usize {
        self.counted.map_or(self.groups.len(), |counted| counted.len() - counted.null_count())
    }

    fn argument(&self) -> &'a ArrayRef {
        self.argument.expect("every function but COUNT has an argument, as its construction has checked")
    }
}

/// The group that all rows have. Worth knowing: it turns scattered additions into one sum.
pub fn single(groups: &[u32]) -> Option<u32> {
    let first = *groups.first()?;
    groups.iter().all(|group| *group == first).then_some(first)
}

/// One aggregate over all groups.
pub trait Accumulator {
    /// Makes room for this many groups, before anything is taken in for them.
    fn grow(&mut self, count: usize);

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError>;

    /// Takes rows back. Only for accumulators that were made for [`Input::Updating`].
    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError>;

    /// Takes in states that another accumulator of the same kind put out, a row for each of `groups`.
    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError>;

    /// The state as columns.
    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError>;

    /// The number of columns that [`Accumulator::states`] has.
    fn width(&self) -> usize {
        1
    }

    /// The results, in the result's type.
    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError>;

    /// Makes groups as if nothing had come for them.
    fn clear(&mut self, groups: &[u32]);

    /// Forgets the groups for which `keep` is false; the others are numbered anew, in their order.
    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError>;

    fn bytes(&self) -> usize;
}

/// An accumulator for a function of an argument type (none for `COUNT(*)`), or `None` where the planner should not
/// have let the call through.
fn accumulator(
    function: &AggregateFunction,
    argument: Option<&DataType>,
    result: &DataType,
    input: Input,
) -> Option<Box<dyn Accumulator>> {
    use kept::Wanted;
    match (function, input) {
        (AggregateFunction::Count, _) => Some(Box::new(count::Count::default())),
        (AggregateFunction::Sum, _) => sum::sum(argument?, result, input),
        (AggregateFunction::Avg, _) => sum::average(argument?, result),
        (AggregateFunction::Min, Input::Append) => kept::kept(argument?, Wanted::Least),
        (AggregateFunction::Max, Input::Append) => kept::kept(argument?, Wanted::Greatest),
        (AggregateFunction::FirstValue, Input::Append) => kept::kept(argument?, Wanted::First),
        (AggregateFunction::LastValue, Input::Append) => kept::kept(argument?, Wanted::Last),
        (AggregateFunction::Min, Input::Updating) => multiset::extreme(argument?, multiset::End::Least),
        (AggregateFunction::Max, Input::Updating) => multiset::extreme(argument?, multiset::End::Greatest),
        (AggregateFunction::FirstValue, Input::Updating) => first::first_or_last(argument?, first::Side::First),
        (AggregateFunction::LastValue, Input::Updating) => first::first_or_last(argument?, first::Side::Last),
        (AggregateFunction::StddevPop, _) => moments::moments(argument?, moments::Wanted::STDDEV_POP),
        (AggregateFunction::StddevSamp, _) => moments::moments(argument?, moments::Wanted::STDDEV_SAMP),
        (AggregateFunction::VarPop, _) => moments::moments(argument?, moments::Wanted::VAR_POP),
        (AggregateFunction::VarSamp, _) => moments::moments(argument?, moments::Wanted::VAR_SAMP),
        (AggregateFunction::ListAgg { separator }, _) => text_list::text_list(argument?, separator, input),
        (AggregateFunction::Collect, _) => collect::collect(argument?, result),
        (AggregateFunction::ArrayAgg, _) => array_agg::array_agg(argument?, result),
        (AggregateFunction::Percentile { fraction }, _) => percentile::percentile(argument?, *fraction),
        (AggregateFunction::ApproxCountDistinct, _) => hyper_log_log::approximate(argument?),
        (AggregateFunction::Lag { .. } | AggregateFunction::RowNumber, _) => None,
    }
}

/// The values of some groups.
fn pick<T: Copy>(values: &[T], which: Which<'_>) -> Vec<T> {
    match which {
        Which::All => values.to_vec(),
        Which::These(groups) => groups.iter().map(|group| values[*group as usize]).collect(),
    }
}

/// References to the values of some groups.
fn refer<'a, T>(values: &'a [T], which: Which<'a>) -> Box<dyn Iterator<Item = &'a T> + 'a> {
    match which {
        Which::All => Box::new(values.iter()),
        Which::These(groups) => Box::new(groups.iter().map(|group| &values[*group as usize])),
    }
}

/// Forgets the values of groups that are not kept.
pub fn keep_only<T>(values: &mut Vec<T>, keep: &BooleanArray) {
    let mut group = 0;
    values.retain(|_| {
        group += 1;
        keep.value(group - 1)
    });
}

/// Does something with the primitive type of a column.
macro_rules! for_primitive {
    ($data_type:expr, $make:ident ( $($argument:expr),* ), $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $make::<Int8Type>($($argument),*),
            DataType::Int16 => $make::<Int16Type>($($argument),*),
            DataType::Int32 => $make::<Int32Type>($($argument),*),
            DataType::Int64 => $make::<Int64Type>($($argument),*),
            DataType::Float32 => $make::<Float32Type>($($argument),*),
            DataType::Float64 => $make::<Float64Type>($($argument),*),
            DataType::Decimal128(..) => $make::<Decimal128Type>($($argument),*),
            DataType::Date32 => $make::<Date32Type>($($argument),*),
            DataType::Time32(TimeUnit::Millisecond) => $make::<Time32MillisecondType>($($argument),*),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $make::<TimestampMillisecondType>($($argument),*),
            _ => $otherwise,
        }
    };
}
use for_primitive;

/// An implementation for a primitive type.
type Made = Option<Box<dyn Accumulator>>;

fn column<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    seen: Vec<bool>,
    data_type: &DataType,
) -> arrow::array::PrimitiveArray<T> {
    arrow::array::PrimitiveArray::<T>::new(values.into(), Some(NullBuffer::from(seen)))
        .with_data_type(data_type.clone())
}
