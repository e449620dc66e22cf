//! SUM and AVG.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Decimal128Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::count::Count;
use super::{Accumulator, Input, Made, Rows, Which, column, keep_only, pick};

/// The sum of BIGINT, DOUBLE or DECIMAL.
pub fn sum(argument: &DataType, result: &DataType, input: Input) -> Made {
    match input {
        Input::Append => plain(argument, result),
        // Whether a sum is NULL again is told by the number of its values.
        Input::Updating => counted(argument, result, Wanted::Sum),
    }
}

pub fn average(argument: &DataType, result: &DataType) -> Made {
    counted(argument, result, Wanted::Average)
}

fn counted(argument: &DataType, result: &DataType, wanted: Wanted) -> Made {
    let sum = plain(argument, &state_type(argument))?;
    Some(Box::new(SumAndCount { sum, count: Count::default(), wanted, result: result.clone() }))
}

fn plain(argument: &DataType, result: &DataType) -> Made {
    match argument {
        DataType::Int64 => Some(Box::new(Sum::<Int64Type>::new(argument, result))),
        DataType::Float64 => Some(Box::new(Sum::<Float64Type>::new(argument, result))),
        DataType::Decimal128(..) => Some(Box::new(Sum::<Decimal128Type>::new(argument, result))),
        _ => None,
    }
}

fn state_type(argument: &DataType) -> DataType {
    match argument {
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        other => other.clone(),
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
        Self { sums: Vec::new(), seen: Vec::new(), state_type: state_type(argument), result: result.clone() }
    }

    fn column(&self, which: Which<'_>) -> PrimitiveArray<T> {
        column(pick(&self.sums, which), pick(&self.seen, which), &self.state_type)
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Sum<T> {
    fn grow(&mut self, count: usize) {
        self.sums.resize(count, T::Native::ZERO);
        self.seen.resize(count, false);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let (sums, seen) = (&mut self.sums[..], &mut self.seen[..]);
        let values = &rows.argument().as_primitive::<T>().values()[..];
        if let Some(group) = rows.single {
            let mut sum = sums[group as usize];
            rows.for_each(|row, _| sum = sum.add_wrapping(values[row]));
            sums[group as usize] = sum;
            seen[group as usize] |= rows.count() > 0;
            return Ok(());
        }
        rows.for_each(|row, group| {
            sums[group] = sums[group].add_wrapping(values[row]);
            seen[group] = true;
        });
        Ok(())
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let (sums, seen) = (&mut self.sums[..], &mut self.seen[..]);
        let values = rows.argument().as_primitive::<T>().values();
        rows.for_each(|row, group| {
            sums[group] = sums[group].sub_wrapping(values[row]);
            seen[group] = true;
        });
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.update(&Rows::new(groups, Some(&states[0]), states[0].nulls()))
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![Arc::new(self.column(which))])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        cast(&self.column(which), &self.result)
    }

    fn clear(&mut self, groups: &[u32]) {
        for group in groups {
            self.sums[*group as usize] = T::Native::ZERO;
            self.seen[*group as usize] = false;
        }
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.sums, keep);
        keep_only(&mut self.seen, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    Sum,
    Average,
}

/// A sum and the number of its values, for which both are NULL if it is 0.
struct SumAndCount {
    sum: Box<dyn Accumulator>,
    count: Count,
    wanted: Wanted,
    result: DataType,
}

impl Accumulator for SumAndCount {
    fn grow(&mut self, count: usize) {
        self.sum.grow(count);
        self.count.grow(count);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.count.update(rows)?;
        self.sum.update(rows)
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        self.count.retract(rows)?;
        self.sum.retract(rows)
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.sum.merge(groups, &states[..1])?;
        self.count.merge(groups, &states[1..])
    }

    fn width(&self) -> usize {
        2
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut states = self.sum.states(which)?;
        states.push(self.count.column(which));
        Ok(states)
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        let (sum, counts) = (self.sum.finish(which)?, pick(&self.count.counts, which));
        match self.wanted {
            Wanted::Sum => cast(&nullif(&sum, &counts.iter().map(|count| Some(*count == 0)).collect())?, &self.result),
            Wanted::Average => average_of(&sum, &counts, &self.result),
        }
    }

    fn clear(&mut self, groups: &[u32]) {
        self.sum.clear(groups);
        self.count.clear(groups);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        self.sum.retain(keep)?;
        self.count.retain(keep)
    }

    fn bytes(&self) -> usize {
        self.sum.bytes() + self.count.bytes()
    }
}

/// Integers are divided towards zero and decimals rounded half up, as in Flink.
fn average_of(sum: &ArrayRef, counts: &[i64], result: &DataType) -> Result<ArrayRef, ArrowError> {
    let average: ArrayRef = match sum.data_type() {
        DataType::Int64 => {
            let sums = sum.as_primitive::<Int64Type>().iter().zip(counts);
            Arc::new(sums.map(|(sum, count)| sum?.checked_div(*count)).collect::<Int64Array>())
        }
        DataType::Float64 => {
            let sums = sum.as_primitive::<Float64Type>().iter().zip(counts);
            let averages = sums.map(|(sum, count)| (*count != 0).then_some(sum? / *count as f64));
            Arc::new(averages.collect::<PrimitiveArray<Float64Type>>())
        }
        _ => return average_of_decimals(sum, counts, result),
    };
    cast(&average, result)
}

fn average_of_decimals(sum: &ArrayRef, counts: &[i64], result: &DataType) -> Result<ArrayRef, ArrowError> {
    let (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) = (sum.data_type(), result) else {
        return Err(ArrowError::CastError(format!("the average of {} is no {result}", sum.data_type())));
    };
    let factor = 10_i128.pow(u32::from(to.saturating_sub(*from).unsigned_abs()));
    let averages = sum.as_primitive::<Decimal128Type>().iter().zip(counts).map(|(sum, count)| {
        let (sum, count) = (sum?.checked_mul(factor)?, i128::from(*count));
        let half = if sum < 0 { -count / 2 } else { count / 2 };
        (sum + half).checked_div(count)
    });
    let averages: Decimal128Array = averages.collect();
    Ok(Arc::new(averages.with_precision_and_scale(*precision, *to)?))
}
