//! One aggregate call: what it is computed from, and its results for a scope of rows.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
    make_comparator,
};
use arrow::compute::{SortOptions, cast, concat, take};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, Schema};
use arrow::error::ArrowError;
use tidemill_plan::{AggregateCall, AggregateFunction, Expression, Literal};

use super::folds::{Counting, ExactSum, Extreme, First, FloatSum, Last, Moments, Numbers};
use super::frame::Scope;
use super::slide::{Fold, distinct, grow, slide};
use crate::expression::Evaluator;
use crate::groups::GroupTable;
use crate::hash::{hash_rows, is_hashable};
use crate::operators::rank::order::{as_integers, is_integer};

pub struct Call {
    function: AggregateFunction,
    /// Among the columns that evaluation is given.
    argument: Option<usize>,
    filter: Option<usize>,
    distinct: bool,
    result: DataType,
    /// What LAG is where there is no row.
    default: Option<ArrayRef>,
    /// By partition: the aggregate of the rows so far, if frames begin with the partition.
    pub carried: Vec<Numbers>,
}

/// What an evaluation goes by.
pub struct Rows<'a> {
    pub scope: &'a Scope,
    /// The columns of the rows in the line.
    pub columns: &'a [ArrayRef],
    pub rows: usize,
    /// Whether frames begin with the partition.
    pub is_unbounded: bool,
    /// Whether rows that are not to be evaluated are in [`Call::carried`] instead of the line.
    pub is_carried: bool,
}

impl Call {
    /// `needed` collects the input columns that evaluation has to be given.
    pub fn new(
        call: &AggregateCall,
        input: &Schema,
        result: &DataType,
        needed: &mut Vec<usize>,
    ) -> Result<Self, String> {
        let mut place = |column: usize| -> Result<(usize, DataType), String> {
            let field = input.fields().get(column).ok_or_else(|| format!("its input has no column {column}"))?;
            let place = needed.iter().position(|other| *other == column).unwrap_or_else(|| {
                needed.push(column);
                needed.len() - 1
            });
            Ok((place, field.data_type().clone()))
        };
        let argument = call.argument.map(&mut place).transpose()?;
        let filter = call.filter.map(&mut place).transpose()?;
        let (argument, argument_type) = argument.unzip();
        check(call, argument_type.as_ref())?;
        let default = match (&call.function, &argument_type) {
            (AggregateFunction::Lag { default: Some(default), .. }, Some(argument_type)) => {
                Some(constant(default, argument_type)?)
            }
            _ => None,
        };
        Ok(Self {
            function: call.function.clone(),
            argument,
            filter: filter.map(|(place, _)| place),
            distinct: call.distinct && !is_same_if_distinct(&call.function),
            result: result.clone(),
            default,
            carried: Vec::new(),
        })
    }

    /// Rows before the current one that are looked at in any case.
    pub fn rows_before(&self) -> usize {
        match self.function {
            AggregateFunction::Lag { offset, .. } => usize::try_from(offset).unwrap_or_default(),
            _ => 0,
        }
    }

    /// Rows behind the current one that are looked at.
    pub fn rows_after(&self) -> usize {
        match self.function {
            AggregateFunction::Lag { offset, .. } => usize::try_from(offset.saturating_neg()).unwrap_or_default(),
            _ => 0,
        }
    }

    pub fn is_row_number(&self) -> bool {
        self.function == AggregateFunction::RowNumber
    }

    /// The results, one for each row to be evaluated. Marks in `retained` what frames that begin with the partition need
    /// of these rows later.
    pub fn evaluate(&mut self, rows: &Rows<'_>, retained: &mut [bool]) -> Result<ArrayRef, ArrowError> {
        let argument = self.argument.map(|argument| &rows.columns[argument]);
        let scope = rows.scope;
        match (&self.function, argument) {
            (AggregateFunction::RowNumber, _) => return self.row_numbers(rows),
            (AggregateFunction::Lag { offset, .. }, Some(argument)) => return self.lag(*offset, argument, scope),
            _ => {}
        }
        let mut counted = self.counted(rows);
        let former = self.distinct.then(|| former(rows, argument, &counted)).transpose()?;
        if let Some(former) = former.as_ref().filter(|_| rows.is_unbounded) {
            for (row, former) in former.iter().enumerate() {
                counted[row] &= former.is_none();
                retained[row] |= counted[row];
            }
        }
        let former = former.filter(|_| !rows.is_unbounded);
        let mut work = Work { rows, counted: &counted, former: former.as_deref(), carried: &mut self.carried };
        let result = match (&self.function, argument) {
            (AggregateFunction::Count, _) => integers(&work.numbers(&Counting), |state| Some(state.count)),
            (AggregateFunction::Sum | AggregateFunction::Avg, Some(argument)) => {
                sum(&self.function, argument, &self.result, &mut work)?
            }
            (AggregateFunction::FirstValue, Some(argument)) => work.places(&First, argument, retained)?,
            (AggregateFunction::LastValue, Some(argument)) => work.places(&Last, argument, retained)?,
            (AggregateFunction::Min, Some(argument)) => extreme(argument, false, &work, retained)?,
            (AggregateFunction::Max, Some(argument)) => extreme(argument, true, &work, retained)?,
            (function, Some(argument)) => {
                let values = argument.as_primitive::<Float64Type>().values();
                spread(function, &work.numbers(&Moments(values)))
            }
            (function, None) => return Err(ArrowError::ComputeError(format!("{function:?} has no argument"))),
        };
        if result.data_type() == &self.result { Ok(result) } else { cast(&result, &self.result) }
    }

    /// Which rows of the line the filter lets through and have an argument.
    fn counted(&self, rows: &Rows<'_>) -> Vec<bool> {
        let mut counted = vec![true; rows.rows];
        if let Some(nulls) = self.argument.and_then(|argument| rows.columns[argument].nulls()) {
            counted.iter_mut().enumerate().for_each(|(row, counted)| *counted = nulls.is_valid(row));
        }
        if let Some(filter) = self.filter {
            let filter = rows.columns[filter].as_boolean();
            for (row, counted) in counted.iter_mut().enumerate() {
                *counted &= filter.is_valid(row) && filter.value(row);
            }
        }
        counted
    }

    fn row_numbers(&mut self, rows: &Rows<'_>) -> Result<ArrayRef, ArrowError> {
        let mut numbers = Vec::with_capacity(rows.scope.len());
        for stretch in &rows.scope.stretches {
            let before = match rows.is_carried {
                true => self.carried[stretch.group as usize].count,
                false => (stretch.from - stretch.start) as i64,
            };
            let last = before + (stretch.end - stretch.from) as i64;
            numbers.extend(before + 1..=last);
            if rows.is_carried {
                self.carried[stretch.group as usize].count = last;
            }
        }
        cast(&(Arc::new(Int64Array::from(numbers)) as ArrayRef), &self.result)
    }

    fn lag(&self, offset: i64, argument: &ArrayRef, scope: &Scope) -> Result<ArrayRef, ArrowError> {
        let mut places = Vec::with_capacity(scope.len());
        let default = self.default.as_ref().map(|_| argument.len() as u32);
        for stretch in &scope.stretches {
            for row in stretch.from..stretch.end {
                let place = (row as i64).checked_sub(offset).and_then(|place| usize::try_from(place).ok());
                let known = place.filter(|place| (stretch.start..stretch.end).contains(place));
                places.push(known.map(|place| place as u32).or(default));
            }
        }
        let values = match &self.default {
            Some(default) => concat(&[argument, default])?,
            None => argument.clone(),
        };
        cast(&take(&values, &UInt32Array::from(places), None)?, &self.result)
    }
}

/// The rows that count, and how their aggregates are to be got.
struct Work<'a> {
    rows: &'a Rows<'a>,
    counted: &'a [bool],
    former: Option<&'a [Option<usize>]>,
    carried: &'a mut Vec<Numbers>,
}

impl Work<'_> {
    fn numbers<F: Fold<State = Numbers>>(&mut self, fold: &F) -> Vec<Numbers> {
        match self.former {
            Some(former) => distinct(fold, self.rows.scope, self.counted, former),
            None if self.rows.is_carried => grow(fold, self.rows.scope, self.counted, self.carried),
            None => slide(fold, self.rows.scope, self.counted),
        }
    }

    /// The values at the places that `fold` finds.
    fn places<F: Fold<State = Option<u32>>>(
        &self,
        fold: &F,
        argument: &ArrayRef,
        retained: &mut [bool],
    ) -> Result<ArrayRef, ArrowError> {
        let scope = self.rows.scope;
        let places = slide(fold, scope, self.counted);
        let mut evaluated = 0;
        for stretch in scope.stretches.iter().filter(|stretch| stretch.from < stretch.end) {
            evaluated += stretch.end - stretch.from;
            if let Some(place) = places[evaluated - 1] {
                retained[place as usize] = true;
            }
        }
        take(argument, &UInt32Array::from(places), None)
    }
}

fn sum(
    function: &AggregateFunction,
    argument: &ArrayRef,
    result: &DataType,
    work: &mut Work<'_>,
) -> Result<ArrayRef, ArrowError> {
    let is_average = *function == AggregateFunction::Avg;
    let present = |state: &Numbers| (state.count > 0).then_some(*state);
    Ok(match argument.data_type() {
        DataType::Float64 => {
            let states = work.numbers(&FloatSum(argument.as_primitive::<Float64Type>().values()));
            let value = |state: Numbers| if is_average { state.float / state.count as f64 } else { state.float };
            Arc::new(states.iter().map(|state| present(state).map(value)).collect::<Float64Array>())
        }
        DataType::Decimal128(_, from) => {
            let DataType::Decimal128(precision, to) = result else {
                return Err(ArrowError::CastError(format!("a sum of decimals is no {result}")));
            };
            let values = argument.as_primitive::<Decimal128Type>().values();
            let states = work.numbers(&ExactSum(|row: usize| values[row]));
            let factor = 10_i128.pow(u32::from(to.saturating_sub(*from).unsigned_abs()));
            let value = |state: Numbers| {
                let sum = state.exact.checked_mul(factor)?;
                Some(if is_average { rounded(sum, state.count) } else { sum })
            };
            let sums: Decimal128Array = states.iter().map(|state| present(state).and_then(value)).collect();
            Arc::new(sums.with_precision_and_scale(*precision, *to)?)
        }
        _ => {
            let values = argument.as_primitive::<Int64Type>().values();
            let states = work.numbers(&ExactSum(|row: usize| i128::from(values[row])));
            // Integers wrap around, as in Flink.
            integers(&states, |state| {
                let sum = state.exact as i64;
                present(state).map(|state| if is_average { sum / state.count } else { sum })
            })
        }
    })
}

fn rounded(sum: i128, count: i64) -> i128 {
    let count = i128::from(count);
    (sum + if sum < 0 { -count / 2 } else { count / 2 }) / count
}

fn integers(states: &[Numbers], value: impl Fn(&Numbers) -> Option<i64>) -> ArrayRef {
    Arc::new(states.iter().map(value).collect::<Int64Array>())
}

fn spread(function: &AggregateFunction, states: &[Numbers]) -> ArrayRef {
    let (is_sample, is_root) = match function {
        AggregateFunction::StddevSamp => (true, true),
        AggregateFunction::VarSamp => (true, false),
        AggregateFunction::StddevPop => (false, true),
        _ => (false, false),
    };
    let value = |state: &Numbers| {
        let divisor = state.count - i64::from(is_sample);
        (divisor > 0).then(|| {
            let variance = state.spread / divisor as f64;
            if is_root { variance.sqrt() } else { variance }
        })
    };
    Arc::new(states.iter().map(value).collect::<Float64Array>())
}

fn extreme(
    argument: &ArrayRef,
    is_greatest: bool,
    work: &Work<'_>,
    retained: &mut [bool],
) -> Result<ArrayRef, ArrowError> {
    if is_integer(argument.data_type()) {
        let integers = as_integers(argument)?;
        let values = integers.as_primitive::<Int64Type>().values();
        return match is_greatest {
            true => {
                work.places(&Extreme(|one: usize, other: usize| values[other].cmp(&values[one])), argument, retained)
            }
            false => {
                work.places(&Extreme(|one: usize, other: usize| values[one].cmp(&values[other])), argument, retained)
            }
        };
    }
    let options = SortOptions { descending: is_greatest, nulls_first: false };
    let compare = make_comparator(argument, argument, options)?;
    work.places(&Extreme(compare), argument, retained)
}

/// For each row that counts, the one before it in its partition that counts and has the same argument.
fn former(rows: &Rows<'_>, argument: Option<&ArrayRef>, counted: &[bool]) -> Result<Vec<Option<usize>>, ArrowError> {
    let Some(argument) = argument else { return Ok(vec![None; rows.rows]) };
    let mut partitions = vec![0; rows.rows];
    for (number, stretch) in rows.scope.stretches.iter().enumerate() {
        partitions[stretch.start..stretch.end].fill(number as i64);
    }
    let keys: [ArrayRef; 2] = [Arc::new(Int64Array::from(partitions)), argument.clone()];
    let mut table = GroupTable::new(&[DataType::Int64, argument.data_type().clone()])?;
    let (mut hashes, mut groups) = (Vec::new(), Vec::new());
    hash_rows(&keys, rows.rows, &mut hashes);
    table.intern(&keys, &hashes, &mut groups)?;
    let mut last: Vec<Option<usize>> = vec![None; table.len()];
    let of_row = |(row, group): (usize, &u32)| {
        if counted[row] { last[*group as usize].replace(row) } else { None }
    };
    Ok(groups.iter().enumerate().map(of_row).collect())
}

/// Whether it makes no difference to the result that equal arguments count once.
fn is_same_if_distinct(function: &AggregateFunction) -> bool {
    matches!(function, AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::FirstValue)
}

/// Refuses calls that cannot be evaluated.
fn check(call: &AggregateCall, argument: Option<&DataType>) -> Result<(), String> {
    use AggregateFunction as F;
    let function = &call.function;
    let is_possible = match (function, argument) {
        (F::Count, None) => !call.distinct,
        (F::RowNumber, None) => true,
        (F::Count | F::Min | F::Max | F::FirstValue | F::LastValue | F::Lag { .. }, Some(_)) => true,
        (F::Sum | F::Avg, Some(DataType::Int64 | DataType::Float64 | DataType::Decimal128(..))) => true,
        (F::StddevPop | F::StddevSamp | F::VarPop | F::VarSamp, Some(DataType::Float64)) => true,
        _ => false,
    };
    let is_distinct = call.distinct && !is_same_if_distinct(function);
    match argument {
        _ if !is_possible => Err(format!("{function:?} of {argument:?} cannot be computed over rows")),
        Some(_) if is_distinct && matches!(function, F::LastValue | F::Lag { .. }) => {
            Err(format!("{function:?} cannot be of distinct values"))
        }
        Some(argument) if is_distinct && !is_hashable(argument) => {
            Err(format!("values of type {argument} cannot be told apart"))
        }
        _ => Ok(()),
    }
}

/// A literal as an array of one value of this type.
fn constant(literal: &Literal, data_type: &DataType) -> Result<ArrayRef, String> {
    let schema = Schema::empty();
    let evaluator =
        Evaluator::new(&Expression::Literal(literal.clone()), &schema).map_err(|error| error.to_string())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(schema), Vec::new(), &options);
    let row = row.map_err(|error| error.to_string())?;
    let value = evaluator.evaluate(&row, "default").map_err(|problem| problem.message)?;
    cast(&value, data_type).map_err(|error| error.to_string())
}
