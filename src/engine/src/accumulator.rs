//! Accumulators: one aggregate's value for every group, as columns of values.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray, StringArray,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use arrow::error::ArrowError;
use tidemill_plan::AggregateFunction;

/// One aggregate over all groups of a pane. `groups` gives each row's group; `count` is the number of groups by now.
pub trait Accumulator {
    /// Takes rows in: those for which `argument` is not NULL and `filter`, if there is one, is true.
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>);

    /// Takes in states that another accumulator of the same kind put out.
    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]);

    /// The state as columns, a row for each group.
    fn states(&self) -> Vec<ArrayRef>;

    /// The number of columns that [`Accumulator::states`] has.
    fn width(&self) -> usize {
        1
    }

    /// The result, a row for each group, in the result's type.
    fn finish(&self) -> Result<ArrayRef, ArrowError>;

    fn bytes(&self) -> usize;
}

/// An accumulator for a function of an argument type (none for `COUNT(*)`), or `None` where the planner should not
/// have let the call through.
pub fn accumulator(
    function: &AggregateFunction,
    argument: Option<&DataType>,
    result: &DataType,
) -> Option<Box<dyn Accumulator>> {
    match function {
        AggregateFunction::Count => Some(Box::new(Count { counts: Vec::new() })),
        AggregateFunction::Sum => match argument? {
            DataType::Int64 => Some(Box::new(Sum::<Int64Type>::new(argument?, result))),
            DataType::Float64 => Some(Box::new(Sum::<Float64Type>::new(argument?, result))),
            DataType::Decimal128(..) => Some(Box::new(Sum::<Decimal128Type>::new(argument?, result))),
            _ => None,
        },
        AggregateFunction::Avg => {
            let sum = accumulator(&AggregateFunction::Sum, argument, argument?)?;
            Some(Box::new(Average { sum, count: Count { counts: Vec::new() }, result: result.clone() }))
        }
        AggregateFunction::Min => extreme(argument?, Wanted::Least),
        AggregateFunction::Max => extreme(argument?, Wanted::Greatest),
        AggregateFunction::StddevPop
        | AggregateFunction::StddevSamp
        | AggregateFunction::VarPop
        | AggregateFunction::VarSamp
        | AggregateFunction::FirstValue
        | AggregateFunction::LastValue
        | AggregateFunction::ListAgg { .. }
        | AggregateFunction::Collect
        | AggregateFunction::ApproxCountDistinct
        | AggregateFunction::Lag { .. }
        | AggregateFunction::RowNumber => None,
    }
}

fn extreme(argument: &DataType, wanted: Wanted) -> Option<Box<dyn Accumulator>> {
    fn of<T: ArrowPrimitiveType>(argument: &DataType, wanted: Wanted) -> Option<Box<dyn Accumulator>> {
        Some(Box::new(Extreme::<T> { values: Vec::new(), seen: Vec::new(), data_type: argument.clone(), wanted }))
    }
    match argument {
        DataType::Int8 => of::<Int8Type>(argument, wanted),
        DataType::Int16 => of::<Int16Type>(argument, wanted),
        DataType::Int32 => of::<Int32Type>(argument, wanted),
        DataType::Int64 => of::<Int64Type>(argument, wanted),
        DataType::Float32 => of::<Float32Type>(argument, wanted),
        DataType::Float64 => of::<Float64Type>(argument, wanted),
        DataType::Decimal128(..) => of::<Decimal128Type>(argument, wanted),
        DataType::Date32 => of::<Date32Type>(argument, wanted),
        DataType::Time32(TimeUnit::Millisecond) => of::<Time32MillisecondType>(argument, wanted),
        DataType::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(argument, wanted),
        DataType::Utf8 => Some(Box::new(ExtremeText { values: Vec::new(), wanted })),
        _ => None,
    }
}

/// The rows that count: not NULL, and let through by the filter. None if all do.
fn counted(argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let not_null = argument.and_then(|argument| argument.nulls()).filter(|nulls| nulls.null_count() > 0);
    let let_through = filter.map(|filter| {
        NullBuffer::new(match filter.nulls() {
            Some(nulls) => filter.values() & nulls.inner(),
            None => filter.values().clone(),
        })
    });
    NullBuffer::union(not_null, let_through.as_ref())
}

fn for_each_counted(rows: usize, counted: Option<&NullBuffer>, each: impl FnMut(usize)) {
    match counted {
        None => (0..rows).for_each(each),
        Some(counted) => counted.valid_indices().for_each(each),
    }
}

struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) {
        self.counts.resize(count, 0);
        let counts = &mut self.counts[..];
        for_each_counted(groups.len(), counted(argument, filter).as_ref(), |row| counts[groups[row] as usize] += 1);
    }

    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) {
        self.counts.resize(count, 0);
        let partial = states[0].as_primitive::<Int64Type>().values();
        for (group, partial) in groups.iter().zip(partial) {
            self.counts[*group as usize] += partial;
        }
    }

    fn states(&self) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(self.counts.clone()))]
    }

    fn finish(&self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Int64Array::from(self.counts.clone())))
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// A sum that is NULL until a value comes. Integers wrap around, as in Flink.
struct Sum<T: ArrowPrimitiveType> {
    sums: Vec<T::Native>,
    seen: Vec<bool>,
    state_type: DataType,
    result: DataType,
}

impl<T: ArrowPrimitiveType> Sum<T> {
    fn new(argument: &DataType, result: &DataType) -> Self {
        let state_type = match argument {
            DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
            other => other.clone(),
        };
        Self { sums: Vec::new(), seen: Vec::new(), state_type, result: result.clone() }
    }

    fn add(&mut self, groups: &[u32], count: usize, values: &PrimitiveArray<T>, counted: Option<&NullBuffer>) {
        self.sums.resize(count, T::Native::ZERO);
        self.seen.resize(count, false);
        let (sums, seen) = (&mut self.sums[..], &mut self.seen[..]);
        let values = values.values();
        for_each_counted(groups.len(), counted, |row| {
            let group = groups[row] as usize;
            sums[group] = sums[group].add_wrapping(values[row]);
            seen[group] = true;
        });
    }

    fn column(&self) -> PrimitiveArray<T> {
        column(&self.sums, &self.seen, &self.state_type)
    }
}

fn column<T: ArrowPrimitiveType>(values: &[T::Native], seen: &[bool], data_type: &DataType) -> PrimitiveArray<T> {
    let nulls = NullBuffer::from(seen.to_vec());
    PrimitiveArray::<T>::new(ScalarBuffer::from(values.to_vec()), Some(nulls)).with_data_type(data_type.clone())
}

impl<T: ArrowPrimitiveType> Accumulator for Sum<T> {
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) {
        let Some(values) = argument else { unreachable!("a sum has an argument") };
        self.add(groups, count, values.as_primitive::<T>(), counted(argument, filter).as_ref());
    }

    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) {
        let values = states[0].as_primitive::<T>();
        self.add(groups, count, values, values.nulls());
    }

    fn states(&self) -> Vec<ArrayRef> {
        vec![Arc::new(self.column())]
    }

    fn finish(&self) -> Result<ArrayRef, ArrowError> {
        cast(&self.column(), &self.result)
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

/// Sum and count; integers are divided towards zero and decimals rounded half up, as in Flink.
struct Average {
    sum: Box<dyn Accumulator>,
    count: Count,
    result: DataType,
}

impl Accumulator for Average {
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) {
        self.sum.update(groups, count, argument, filter);
        self.count.update(groups, count, argument, filter);
    }

    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) {
        self.sum.merge(groups, count, &states[..1]);
        self.count.merge(groups, count, &states[1..]);
    }

    fn width(&self) -> usize {
        2
    }

    fn states(&self) -> Vec<ArrayRef> {
        let mut states = self.sum.states();
        states.extend(self.count.states());
        states
    }

    fn finish(&self) -> Result<ArrayRef, ArrowError> {
        let sum = &self.sum.states()[0];
        let counts = &self.count.counts;
        let average: ArrayRef = match sum.data_type() {
            DataType::Int64 => {
                let sums = sum.as_primitive::<Int64Type>();
                Arc::new(sums.iter().zip(counts).map(|(sum, count)| Some(sum? / count)).collect::<Int64Array>())
            }
            DataType::Float64 => {
                let sums = sum.as_primitive::<Float64Type>();
                let averages = sums.iter().zip(counts).map(|(sum, count)| Some(sum? / *count as f64));
                Arc::new(averages.collect::<PrimitiveArray<Float64Type>>())
            }
            _ => return average_of_decimals(sum, counts, &self.result),
        };
        cast(&average, &self.result)
    }

    fn bytes(&self) -> usize {
        self.sum.bytes() + self.count.bytes()
    }
}

fn average_of_decimals(sum: &ArrayRef, counts: &[i64], result: &DataType) -> Result<ArrayRef, ArrowError> {
    let (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) = (sum.data_type(), result) else {
        return Err(ArrowError::CastError(format!("the average of {} is no {result}", sum.data_type())));
    };
    let factor = 10_i128.pow(u32::from(to.saturating_sub(*from).unsigned_abs()));
    let averages = sum.as_primitive::<Decimal128Type>().iter().zip(counts).map(|(sum, count)| {
        let (sum, count) = (sum?.checked_mul(factor)?, i128::from(*count));
        let half = if sum < 0 { -count / 2 } else { count / 2 };
        Some((sum + half) / count)
    });
    let averages: Decimal128Array = averages.collect();
    Ok(Arc::new(averages.with_precision_and_scale(*precision, *to)?))
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Least,
    Greatest,
}

struct Extreme<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    seen: Vec<bool>,
    data_type: DataType,
    wanted: Wanted,
}

impl<T: ArrowPrimitiveType> Extreme<T> {
    fn take_in(&mut self, groups: &[u32], count: usize, values: &PrimitiveArray<T>, counted: Option<&NullBuffer>) {
        self.values.resize(count, T::Native::default());
        self.seen.resize(count, false);
        let (best, seen, wanted) = (&mut self.values[..], &mut self.seen[..], self.wanted);
        let values = values.values();
        for_each_counted(groups.len(), counted, |row| {
            let (group, value) = (groups[row] as usize, values[row]);
            let better = match wanted {
                Wanted::Least => value.is_lt(best[group]),
                Wanted::Greatest => value.is_gt(best[group]),
            };
            if better || !seen[group] {
                best[group] = value;
                seen[group] = true;
            }
        });
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Extreme<T> {
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) {
        let Some(values) = argument else { unreachable!("an extreme has an argument") };
        self.take_in(groups, count, values.as_primitive::<T>(), counted(argument, filter).as_ref());
    }

    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) {
        let values = states[0].as_primitive::<T>();
        self.take_in(groups, count, values, values.nulls());
    }

    fn states(&self) -> Vec<ArrayRef> {
        vec![Arc::new(column::<T>(&self.values, &self.seen, &self.data_type))]
    }

    fn finish(&self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(column::<T>(&self.values, &self.seen, &self.data_type)))
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

struct ExtremeText {
    values: Vec<Option<String>>,
    wanted: Wanted,
}

impl ExtremeText {
    fn take_in(&mut self, groups: &[u32], count: usize, values: &StringArray, counted: Option<&NullBuffer>) {
        self.values.resize(count, None);
        let (best, wanted) = (&mut self.values[..], self.wanted);
        for_each_counted(groups.len(), counted, |row| {
            let (best, value) = (&mut best[groups[row] as usize], values.value(row));
            let better = match (best.as_deref(), wanted) {
                (None, _) => true,
                (Some(best), Wanted::Least) => value < best,
                (Some(best), Wanted::Greatest) => value > best,
            };
            if better {
                *best = Some(value.to_string());
            }
        });
    }
}

impl Accumulator for ExtremeText {
    fn update(&mut self, groups: &[u32], count: usize, argument: Option<&ArrayRef>, filter: Option<&BooleanArray>) {
        let Some(values) = argument else { unreachable!("an extreme has an argument") };
        self.take_in(groups, count, values.as_string::<i32>(), counted(argument, filter).as_ref());
    }

    fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) {
        let values = states[0].as_string::<i32>();
        self.take_in(groups, count, values, values.nulls());
    }

    fn states(&self) -> Vec<ArrayRef> {
        vec![Arc::new(self.values.iter().map(Option::as_deref).collect::<StringArray>())]
    }

    fn finish(&self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.values.iter().map(Option::as_deref).collect::<StringArray>()))
    }

    fn bytes(&self) -> usize {
        self.values.iter().flatten().map(String::capacity).sum::<usize>() + self.values.capacity() * 24
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;

    use super::*;

    /// Rows of groups 0, 0, 1 with these arguments, taken in directly and by way of a merge; both must agree.
    fn check(function: AggregateFunction, argument: ArrayRef, result: &DataType, expected: ArrayRef) {
        check_filtered(function, argument, None, result, expected);
    }

    fn check_filtered(
        function: AggregateFunction,
        argument: ArrayRef,
        filter: Option<&BooleanArray>,
        result: &DataType,
        expected: ArrayRef,
    ) {
        let new = || accumulator(&function, Some(argument.data_type()), result).unwrap();
        let mut direct = new();
        direct.update(&[0, 0, 1], 2, Some(&argument), filter);
        assert_eq!(&direct.finish().unwrap(), &expected);
        let mut merged = new();
        merged.merge(&[1, 0], 2, &direct.states());
        merged.merge(&[], 3, &new().states().iter().map(|empty| empty.slice(0, 0)).collect::<Vec<_>>());
        let finished = merged.finish().unwrap();
        assert_eq!(finished.slice(0, 1).as_ref(), expected.slice(1, 1).as_ref());
        assert_eq!(finished.slice(1, 1).as_ref(), expected.slice(0, 1).as_ref());
    }

    fn integers(values: Vec<Option<i64>>) -> ArrayRef {
        Arc::new(Int64Array::from(values))
    }

    #[test]
    fn count_leaves_nulls_out() {
        check(
            AggregateFunction::Count,
            integers(vec![Some(1), None, None]),
            &DataType::Int64,
            integers(vec![Some(1), Some(0)]),
        );
    }

    #[test]
    fn a_sum_of_nothing_is_null() {
        check(
            AggregateFunction::Sum,
            integers(vec![Some(2), Some(3), None]),
            &DataType::Int64,
            integers(vec![Some(5), None]),
        );
    }

    #[test]
    fn a_filter_leaves_rows_out_unless_it_is_true() {
        let filter = BooleanArray::from(vec![Some(true), None, Some(false)]);
        let argument = integers(vec![Some(2), Some(3), Some(4)]);
        let expected = integers(vec![Some(2), None]);
        check_filtered(AggregateFunction::Sum, argument, Some(&filter), &DataType::Int64, expected);
    }

    #[test]
    fn an_average_of_integers_is_cut_towards_zero() {
        check(
            AggregateFunction::Avg,
            integers(vec![Some(-2), Some(-3), Some(4)]),
            &DataType::Int64,
            integers(vec![Some(-2), Some(4)]),
        );
    }

    #[test]
    fn an_average_of_decimals_is_rounded_half_up() {
        let argument = Decimal128Array::from(vec![100, 101, 7]).with_precision_and_scale(5, 2).unwrap();
        let result = DataType::Decimal128(38, 6);
        let expected = Decimal128Array::from(vec![1_005_000, 70_000]).with_precision_and_scale(38, 6).unwrap();
        check(AggregateFunction::Avg, Arc::new(argument), &result, Arc::new(expected));
    }

    #[test]
    fn extremes_of_numbers_and_texts() {
        check(
            AggregateFunction::Min,
            integers(vec![Some(5), Some(-1), None]),
            &DataType::Int64,
            integers(vec![Some(-1), None]),
        );
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![-2.0, -1.0, 0.5]));
        check(AggregateFunction::Max, floats, &DataType::Float64, Arc::new(Float64Array::from(vec![-1.0, 0.5])));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), None]));
        check(AggregateFunction::Max, texts, &DataType::Utf8, Arc::new(StringArray::from(vec![Some("b"), None])));
    }
}
