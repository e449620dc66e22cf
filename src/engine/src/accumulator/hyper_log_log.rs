//! APPROX_COUNT_DISTINCT: exact up to [`EXACT`] values, then a HyperLogLog of 2^14 registers, whose standard error is
//! 0.8 %, with Ertl's estimator, which needs no correction for small or large numbers.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BinaryArray, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::kept::only_additions;
use super::{Accumulator, Made, Rows, Which, keep_only, refer};
use crate::hash::{hash_rows, is_hashable};

/// Values up to which a group's are counted one by one.
const EXACT: usize = 512;
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// What a register holds at most: the zeros that a hash can have behind the bits of its register, and one.
const HIGHEST: usize = (64 - PRECISION + 1) as usize;

pub fn approximate(argument: &DataType) -> Made {
    is_hashable(argument).then(|| Box::new(Approximate { groups: Vec::new(), hashes: Vec::new() }) as _)
}

struct Approximate {
    groups: Vec<Sketch>,
    hashes: Vec<u64>,
}

enum Sketch {
    Exact(HashSet<u64>),
    Registers(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Sketch {
    fn add(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) if hashes.len() < EXACT => {
                hashes.insert(hash);
            }
            Self::Exact(hashes) => {
                let mut registers = vec![0; REGISTERS].into_boxed_slice();
                hashes.iter().chain([&hash]).for_each(|hash| register(&mut registers, *hash));
                *self = Self::Registers(registers);
            }
            Self::Registers(registers) => register(registers, hash),
        }
    }

    fn raise(&mut self, others: &[u8]) {
        if let Self::Exact(hashes) = self {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            hashes.iter().for_each(|hash| register(&mut registers, *hash));
            *self = Self::Registers(registers);
        }
        if let Self::Registers(registers) = self {
            registers.iter_mut().zip(others).for_each(|(register, other)| *register = (*register).max(*other));
        }
    }

    fn estimate(&self) -> i64 {
        match self {
            Self::Exact(hashes) => hashes.len() as i64,
            Self::Registers(registers) => estimate(registers),
        }
    }

    /// Hashes, sorted so that equal states are equal bytes, or all registers; the length tells which.
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Exact(hashes) => {
                let mut sorted: Vec<u64> = hashes.iter().copied().collect();
                sorted.sort_unstable();
                sorted.into_iter().flat_map(u64::to_le_bytes).collect()
            }
            Self::Registers(registers) => registers.to_vec(),
        }
    }

    fn merge(&mut self, bytes: &[u8]) {
        if bytes.len() == REGISTERS {
            return self.raise(bytes);
        }
        for hash in bytes.as_chunks::<8>().0 {
            self.add(u64::from_le_bytes(*hash));
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let place = (hash >> (64 - PRECISION)) as usize;
    let zeros = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() as u8 + 1;
    registers[place] = registers[place].max(zeros);
}

fn estimate(registers: &[u8]) -> i64 {
    let mut counts = [0_u32; HIGHEST + 1];
    registers.iter().for_each(|register| counts[usize::from(*register)] += 1);
    let all = REGISTERS as f64;
    let mut z = all * tau(1.0 - f64::from(counts[HIGHEST]) / all);
    for count in counts[1..HIGHEST].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += all * sigma(f64::from(counts[0]) / all);
    (all * all / (2.0 * std::f64::consts::LN_2 * z)).round() as i64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl Accumulator for Approximate {
    fn grow(&mut self, count: usize) {
        self.groups.resize_with(count, Sketch::default);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        hash_rows(std::slice::from_ref(rows.argument()), rows.groups.len(), &mut self.hashes);
        rows.for_each(|row, group| self.groups[group].add(self.hashes[row]));
        Ok(())
    }

    fn retract(&mut self, _rows: &Rows<'_>) -> Result<(), ArrowError> {
        Err(only_additions())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        let states = states[0].as_binary::<i32>();
        for (row, group) in groups.iter().enumerate() {
            self.groups[*group as usize].merge(states.value(row));
        }
        Ok(())
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![Arc::new(BinaryArray::from_iter_values(refer(&self.groups, which).map(Sketch::to_bytes)))])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(Int64Array::from_iter_values(refer(&self.groups, which).map(Sketch::estimate))))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.groups[*group as usize] = Sketch::default());
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.groups, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        let bytes = |sketch: &Sketch| match sketch {
            Sketch::Exact(hashes) => hashes.capacity() * 9,
            Sketch::Registers(registers) => registers.len(),
        };
        self.groups.iter().map(bytes).sum::<usize>() + self.groups.capacity() * size_of::<Sketch>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_number_is_exact_and_a_large_one_near() {
        for count in [0_i64, 1, 512, 513, 5_000, 100_000, 1_000_000] {
            let mut sketch = Sketch::default();
            for value in 0..count {
                let hash = xxhash_rust::xxh3::xxh3_64(&value.to_le_bytes());
                sketch.add(hash);
                sketch.add(hash);
            }
            let error = (sketch.estimate() - count).abs();
            assert!(error * 100 <= 3 * count && (count > EXACT as i64 || error == 0), "{count} is off by {error}");
        }
    }

    #[test]
    fn sketches_merge_whatever_they_hold() {
        for (left, right) in [(0..100, 50..200), (0..100, 50..9_000), (0..9_000, 50..100), (0..9_000, 3_000..12_000)] {
            let sketch = |values: std::ops::Range<u64>| {
                let mut sketch = Sketch::default();
                values.for_each(|value| sketch.add(xxhash_rust::xxh3::xxh3_64(&value.to_le_bytes())));
                sketch
            };
            let mut merged = sketch(left.clone());
            merged.merge(&sketch(right.clone()).to_bytes());
            assert_eq!(merged.estimate(), sketch(left.start..left.end.max(right.end)).estimate());
        }
    }
}
