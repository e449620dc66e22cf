//! Functions that answer by chance, for each row anew.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Int32Array};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Parameter::Whole;
use super::arguments::{Wholes, collect_doubles, collect_text};
use super::kernel::volatile;
use super::{Form, Function, Returns, Simple};

pub(super) fn functions() -> Vec<Function> {
    vec![
        volatile(
            "uuid",
            &[Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Text) }],
            "UUID()",
            |arguments| Ok(collect_text(arguments.number_rows, |_| Some(uuid(next(), next()).into()))),
        ),
        volatile(
            "rand",
            &[Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Double) }],
            "RAND()",
            |arguments| Ok(collect_doubles(arguments.number_rows, |_| Some(fraction(next())))),
        ),
        volatile(
            "rand_integer",
            &[Form { parameters: &[Whole], repeats: false, returns: Returns::Type(Simple::Int) }],
            "RAND_INTEGER(bound)",
            rand_integer,
        ),
    ]
}

/// Random bits: a counter, hashed with keys that the operating system has drawn for the thread.
fn next() -> u64 {
    thread_local! {
        static STATE: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
    }
    STATE.with(|(keys, counter)| keys.hash_one(counter.replace(counter.get().wrapping_add(1))))
}

/// From 0 to below 1, in the 53 bits that a double has.
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Version 4: all bits random but those that say so.
fn uuid(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & (u64::MAX >> 2) | 1 << 63;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// From 0 to below the bound, which has to be positive.
fn rand_integer(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let bounds = Wholes::of(arguments, 0)?;
    if let Some(bound) = (0..arguments.number_rows).filter_map(|row| bounds.get(row)).find(|bound| *bound <= 0) {
        return exec_err!("RAND_INTEGER needs a positive bound but got {bound}");
    }
    let value = |bound: i64| (fraction(next()) * bound.min(i64::from(i32::MAX)) as f64) as i32;
    Ok(Arc::new((0..arguments.number_rows).map(|row| bounds.get(row).map(value)).collect::<Int32Array>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_says_its_version() {
        assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn fractions_are_below_one_and_differ() {
        assert_eq!((fraction(0), fraction(u64::MAX) < 1.0), (0.0, true));
        assert_ne!(next(), next());
    }
}
