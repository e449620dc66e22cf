//! The greatest and the least of several values.

use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef};
use datafusion_common::arrow::compute::interleave;
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Strict;
use super::Parameter::{Anything, SameAs};
use super::kernel::own;
use super::lists::{Keys, Place, columns};
use super::{Form, Function, Returns};

const SAME: &[Form] = &[
    Form { parameters: &[Anything], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Anything, SameAs(0)], repeats: true, returns: Returns::SameAs(0) },
];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("greatest", SAME, "GREATEST(value, …)", Strict, |a| {
            picked(a, |keys, best, other| keys.get(other) > keys.get(best))
        }),
        own("least", SAME, "LEAST(value, …)", Strict, |a| {
            picked(a, |keys, best, other| keys.get(other) < keys.get(best))
        }),
    ]
}

/// For each row the value that no other one beats; NULL if one of them is.
fn picked(arguments: &ScalarFunctionArgs, beats: fn(&Keys, Place, Place) -> bool) -> Result<ArrayRef> {
    let values = columns(arguments)?;
    let keys = Keys::of(&values.iter().collect::<Vec<_>>())?;
    let best = |row: usize| {
        let null = values.iter().position(|value| value.is_null(row)).map(|source| (source, row));
        let places = (0..values.len()).map(|source| (source, row));
        null.unwrap_or_else(|| {
            places.reduce(|best, next| if beats(&keys, best, next) { next } else { best }).unwrap_or_default()
        })
    };
    let places: Vec<Place> = (0..arguments.number_rows).map(best).collect();
    let arrays: Vec<&dyn Array> = values.iter().map(|value| &**value).collect();
    Ok(interleave(&arrays, &places)?)
}
