//! Standard deviation and variance, by Welford's method: number, mean and sum of squared distances from it.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::{Accumulator, Made, Rows, Which, keep_only, refer};

/// Which of the results is wanted.
#[derive(Clone, Copy)]
pub struct Wanted {
    is_sample: bool,
    is_root: bool,
}

impl Wanted {
    pub const STDDEV_POP: Self = Self { is_sample: false, is_root: true };
    pub const STDDEV_SAMP: Self = Self { is_sample: true, is_root: true };
    pub const VAR_POP: Self = Self { is_sample: false, is_root: false };
    pub const VAR_SAMP: Self = Self { is_sample: true, is_root: false };

    fn of(self, moment: &Moment) -> Option<f64> {
        let divisor = moment.count - i64::from(self.is_sample);
        if divisor <= 0 {
            return None;
        }
        let variance = (moment.squares / divisor as f64).max(0.0);
        Some(if self.is_root { variance.sqrt() } else { variance })
    }
}

pub fn moments(argument: &DataType, wanted: Wanted) -> Made {
    (*argument == DataType::Float64).then(|| Box::new(Moments { groups: Vec::new(), wanted }) as Box<dyn Accumulator>)
}

#[derive(Clone, Copy, Default)]
struct Moment {
    count: i64,
    mean: f64,
    squares: f64,
}

impl Moment {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    fn remove(&mut self, value: f64) {
        if self.count <= 1 {
            *self = Self { count: self.count - 1, ..Self::default() };
            return;
        }
        let distance = value - self.mean;
        self.count -= 1;
        self.mean -= distance / self.count as f64;
        self.squares -= distance * (value - self.mean);
    }

    fn merge(&mut self, other: Self) {
        if self.count == 0 {
            *self = other;
        } else if other.count != 0 {
            let (count, distance) = (self.count + other.count, other.mean - self.mean);
            let share = other.count as f64 / count as f64;
            self.squares += other.squares + distance * distance * self.count as f64 * share;
            self.mean += distance * share;
            self.count = count;
        }
    }
}

struct Moments {
    groups: Vec<Moment>,
    wanted: Wanted,
}

impl Accumulator for Moments {
    fn grow(&mut self, count: usize) {
        self.groups.resize(count, Moment::default());
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let values = rows.argument().as_primitive::<Float64Type>().values();
        rows.for_each(|row, group| self.groups[group].add(values[row]));
        Ok(())
    }

    fn retract(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let values = rows.argument().as_primitive::<Float64Type>().values();
        rows.for_each(|row, group| self.groups[group].remove(values[row]));
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        let counts = states[0].as_primitive::<Int64Type>();
        let (means, squares) = (states[1].as_primitive::<Float64Type>(), states[2].as_primitive::<Float64Type>());
        for (row, group) in groups.iter().enumerate() {
            let other = Moment { count: counts.value(row), mean: means.value(row), squares: squares.value(row) };
            self.groups[*group as usize].merge(other);
        }
        Ok(())
    }

    fn width(&self) -> usize {
        3
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let all = || refer(&self.groups, which);
        Ok(vec![
            Arc::new(Int64Array::from_iter_values(all().map(|moment| moment.count))),
            Arc::new(Float64Array::from_iter_values(all().map(|moment| moment.mean))),
            Arc::new(Float64Array::from_iter_values(all().map(|moment| moment.squares))),
        ])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        let results = refer(&self.groups, which).map(|moment| self.wanted.of(moment));
        Ok(Arc::new(results.collect::<Float64Array>()))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.groups[*group as usize] = Moment::default());
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.groups, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Moment>()
    }
}
