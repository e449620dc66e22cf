//! Functions on ARRAYs. Elements are counted from 1, and NULL is an element like any other.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, UInt64Array};
use datafusion_common::arrow::compute::take;
use datafusion_common::arrow::datatypes::Int64Type;
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Array as AnyArray, Boolean, ElementOf, SameAs, Text, Texts as TextArray, Whole};
use super::arguments::{Texts, Values, collect_text};
use super::kernel::own;
use super::lists::{Keys, Place, collect, column, columns, elements, places};
use super::{Form, Function, Returns, Simple};

const SAME: Returns = Returns::SameAs(0);
const ONE: &[Form] = &[Form { parameters: &[AnyArray], repeats: false, returns: SAME }];
const TWO: &[Form] = &[Form { parameters: &[AnyArray, SameAs(0)], repeats: false, returns: SAME }];
const WITH_ELEMENT: &[Form] = &[Form { parameters: &[AnyArray, ElementOf(0)], repeats: false, returns: SAME }];
const TO_ELEMENT: &[Form] = &[Form { parameters: &[AnyArray], repeats: false, returns: Returns::ElementOf(0) }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("array_append", WITH_ELEMENT, "ARRAY_APPEND(array, element)", Sometimes, |a| added(a, End::Back)),
        own("array_prepend", WITH_ELEMENT, "ARRAY_PREPEND(array, element)", Sometimes, |a| added(a, End::Front)),
        own(
            "array_concat",
            &[
                Form { parameters: &[AnyArray], repeats: false, returns: SAME },
                Form { parameters: &[AnyArray, SameAs(0)], repeats: true, returns: SAME },
            ],
            "ARRAY_CONCAT(array, …)",
            Strict,
            concat,
        ),
        own(
            "array_contains",
            &[Form { parameters: &[AnyArray, ElementOf(0)], repeats: false, returns: Returns::Type(Simple::Boolean) }],
            "ARRAY_CONTAINS(array, element)",
            Sometimes,
            contains,
        ),
        own(
            "array_position",
            &[Form { parameters: &[AnyArray, ElementOf(0)], repeats: false, returns: Returns::Type(Simple::Int) }],
            "ARRAY_POSITION(array, element)",
            Strict,
            position,
        ),
        own("array_remove", WITH_ELEMENT, "ARRAY_REMOVE(array, element)", Sometimes, remove),
        own("array_distinct", ONE, "ARRAY_DISTINCT(array)", Strict, |a| each(a, distinct)),
        own("array_reverse", ONE, "ARRAY_REVERSE(array)", Strict, |a| {
            each(a, |_, all| all.into_iter().rev().collect())
        }),
        own("array_union", TWO, "ARRAY_UNION(array, other)", Strict, |a| {
            both(a, |keys, left, right| distinct(keys, left.into_iter().chain(right).collect()))
        }),
        own("array_except", TWO, "ARRAY_EXCEPT(array, other)", Strict, |a| {
            both(a, |keys, left, right| {
                let other: HashSet<_> = right.into_iter().map(|place| keys.get(place)).collect();
                distinct(keys, left.into_iter().filter(|place| !other.contains(&keys.get(*place))).collect())
            })
        }),
        own("array_intersect", TWO, "ARRAY_INTERSECT(array, other)", Strict, |a| {
            both(a, |keys, left, right| {
                let other: HashSet<_> = right.into_iter().map(|place| keys.get(place)).collect();
                distinct(keys, left.into_iter().filter(|place| other.contains(&keys.get(*place))).collect())
            })
        }),
        own(
            "array_slice",
            &[
                Form { parameters: &[AnyArray, Whole], repeats: false, returns: SAME },
                Form { parameters: &[AnyArray, Whole, Whole], repeats: false, returns: SAME },
            ],
            "ARRAY_SLICE(array, start [, end])",
            Strict,
            slice,
        ),
        own(
            "array_sort",
            &[
                Form { parameters: &[AnyArray], repeats: false, returns: SAME },
                Form { parameters: &[AnyArray, Boolean], repeats: false, returns: SAME },
                Form { parameters: &[AnyArray, Boolean, Boolean], repeats: false, returns: SAME },
            ],
            "ARRAY_SORT(array [, ascending [, nulls first]])",
            Strict,
            sort,
        ),
        own("array_max", TO_ELEMENT, "ARRAY_MAX(array)", Sometimes, |a| extreme(a, Extreme::Highest)),
        own("array_min", TO_ELEMENT, "ARRAY_MIN(array)", Sometimes, |a| extreme(a, Extreme::Lowest)),
        own(
            "array_join",
            &[
                Form { parameters: &[TextArray, Text], repeats: false, returns: Returns::Type(Simple::Text) },
                Form { parameters: &[TextArray, Text, Text], repeats: false, returns: Returns::Type(Simple::Text) },
            ],
            "ARRAY_JOIN(array of strings, separator [, in the place of NULL])",
            Strict,
            join,
        ),
        own("element", TO_ELEMENT, "ELEMENT(array)", Sometimes, element),
    ]
}

/// The places of a row's elements; `source` is the number of their column.
fn of(list: &ListArray, source: usize, row: usize) -> Option<Vec<Place>> {
    places(list, row).map(|places| places.map(|place| (source, place)).collect())
}

/// Arrays of some elements of one array.
fn each(arguments: &ScalarFunctionArgs, pick: fn(&Keys, Vec<Place>) -> Vec<Place>) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let keys = Keys::of(&[elements(&array)])?;
    let list = array.as_list::<i32>();
    let picked = |row| of(list, 0, row).map(|all| pick(&keys, all));
    collect(arguments.return_type(), &[elements(&array)], arguments.number_rows, picked)
}

type PickOfBoth = fn(&Keys, Vec<Place>, Vec<Place>) -> Vec<Place>;

fn both(arguments: &ScalarFunctionArgs, pick: PickOfBoth) -> Result<ArrayRef> {
    let (left, right) = (column(arguments, 0)?, column(arguments, 1)?);
    let sources = [elements(&left), elements(&right)];
    let keys = Keys::of(&sources)?;
    let picked = |row| Some(pick(&keys, of(left.as_list(), 0, row)?, of(right.as_list(), 1, row)?));
    collect(arguments.return_type(), &sources, arguments.number_rows, picked)
}

/// Each value once, where it comes first.
fn distinct(keys: &Keys, all: Vec<Place>) -> Vec<Place> {
    let mut seen = HashSet::new();
    all.into_iter().filter(|place| seen.insert(keys.get(*place))).collect()
}

#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

fn added(arguments: &ScalarFunctionArgs, end: End) -> Result<ArrayRef> {
    let (array, new) = (column(arguments, 0)?, column(arguments, 1)?);
    let all = |row: usize| {
        let mut all = of(array.as_list(), 0, row)?;
        match end {
            End::Front => all.insert(0, (1, row)),
            End::Back => all.push((1, row)),
        }
        Some(all)
    };
    collect(arguments.return_type(), &[elements(&array), &new], arguments.number_rows, all)
}

fn concat(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let arrays = columns(arguments)?;
    let sources: Vec<&ArrayRef> = arrays.iter().map(elements).collect();
    let all = |row: usize| {
        let each = arrays.iter().enumerate().map(|(source, array)| of(array.as_list(), source, row));
        each.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
    };
    collect(arguments.return_type(), &sources, arguments.number_rows, all)
}

/// An array, an element for each row, and the keys of both.
fn with_element(arguments: &ScalarFunctionArgs) -> Result<(ArrayRef, ArrayRef, Keys)> {
    let (array, wanted) = (column(arguments, 0)?, column(arguments, 1)?);
    let keys = Keys::of(&[elements(&array), &wanted])?;
    Ok((array, wanted, keys))
}

/// NULL is found where it is an element.
fn contains(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (array, _, keys) = with_element(arguments)?;
    let found = |row| Some(of(array.as_list(), 0, row)?.into_iter().any(|place| keys.get(place) == keys.get((1, row))));
    Ok(Arc::new((0..arguments.number_rows).map(found).collect::<BooleanArray>()))
}

/// 0 for what is not there. NULL is not looked for.
fn position(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (array, wanted, keys) = with_element(arguments)?;
    let position = |row: usize| {
        let all = of(array.as_list(), 0, row).filter(|_| wanted.is_valid(row))?;
        let found = all.into_iter().position(|place| keys.get(place) == keys.get((1, row)));
        Some(found.map_or(0, |place| place as i32 + 1))
    };
    Ok(Arc::new((0..arguments.number_rows).map(position).collect::<Int32Array>()))
}

fn remove(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (array, _, keys) = with_element(arguments)?;
    let kept = |row: usize| {
        let all = of(array.as_list(), 0, row)?;
        Some(all.into_iter().filter(|place| keys.get(*place) != keys.get((1, row))).collect())
    };
    collect(arguments.return_type(), &[elements(&array)], arguments.number_rows, kept)
}

fn slice(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let starts = Values::<Int64Type>::of(arguments, 1)?;
    let ends = match arguments.args.len() {
        2 => Values::Constant(Some(-1)),
        _ => Values::<Int64Type>::of(arguments, 2)?,
    };
    let part = |row: usize| {
        let all = of(array.as_list(), 0, row)?;
        let (start, end) = sliced(all.len(), starts.get(row)?, ends.get(row)?);
        Some(all[start..end].to_vec())
    };
    collect(arguments.return_type(), &[elements(&array)], arguments.number_rows, part)
}

/// The bounds of a slice. Negative numbers count from the end, and 0 stands for 1.
fn sliced(length: usize, start: i64, end: i64) -> (usize, usize) {
    let count = length as i64;
    let from_front = |number: i64| if number < 0 { number.saturating_add(count + 1) } else { number.max(1) };
    let (start, end) = (from_front(start).max(1) - 1, from_front(end).min(count));
    if start >= end { (0, 0) } else { (start as usize, end as usize) }
}

/// NULLs come first in ascending order and last in descending order, unless the third argument says otherwise.
fn sort(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let flags = (1..arguments.args.len()).map(|place| column(arguments, place)).collect::<Result<Vec<_>>>()?;
    let flag = |place: usize, row: usize| match flags.get(place) {
        None => Some(None),
        Some(flag) => flag.is_valid(row).then(|| Some(flag.as_boolean().value(row))),
    };
    let keys = Keys::of(&[elements(&array)])?;
    let values = elements(&array);
    let sorted = |row: usize| {
        let ascending = flag(0, row)?.unwrap_or(true);
        let nulls_first = flag(1, row)?.unwrap_or(ascending);
        let (nulls, mut rest): (Vec<Place>, Vec<Place>) =
            of(array.as_list(), 0, row)?.into_iter().partition(|(_, place)| values.is_null(*place));
        rest.sort_by(|left, right| keys.get(*left).cmp(&keys.get(*right)));
        if !ascending {
            rest.reverse();
        }
        Some(if nulls_first { [nulls, rest].concat() } else { [rest, nulls].concat() })
    };
    collect(arguments.return_type(), &[values], arguments.number_rows, sorted)
}

#[derive(Clone, Copy)]
enum Extreme {
    Highest,
    Lowest,
}

fn extreme(arguments: &ScalarFunctionArgs, which: Extreme) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let values = elements(&array);
    let keys = Keys::of(&[values])?;
    let found = |row: usize| {
        let all = places(array.as_list(), row)?.filter(|place| values.is_valid(*place));
        let best = match which {
            Extreme::Highest => all.max_by(|left, right| keys.get((0, *left)).cmp(&keys.get((0, *right)))),
            Extreme::Lowest => all.min_by(|left, right| keys.get((0, *left)).cmp(&keys.get((0, *right)))),
        };
        best.map(|place| place as u64)
    };
    let places: UInt64Array = (0..arguments.number_rows).map(found).collect();
    Ok(take(values, &places, None)?)
}

/// NULLs are left out, unless there is something to put in their place.
fn join(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let (list, values) = (array.as_list::<i32>(), elements(&array).as_string::<i32>());
    let separators = Texts::of(arguments, 1)?;
    let replacements = (arguments.args.len() > 2).then(|| Texts::of(arguments, 2)).transpose()?;
    Ok(collect_text(arguments.number_rows, |row| {
        let (places, separator) = (places(list, row)?, separators.get(row)?);
        let replacement = match &replacements {
            None => None,
            Some(replacements) => Some(replacements.get(row)?),
        };
        let text = |place| if values.is_valid(place) { Some(values.value(place)) } else { replacement };
        Some(places.filter_map(text).collect::<Vec<_>>().join(separator).into())
    }))
}

fn element(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let array = column(arguments, 0)?;
    let list = array.as_list::<i32>();
    let mut found = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let places = places(list, row).unwrap_or_default();
        if places.len() > 1 {
            return exec_err!("ELEMENT is asked of an ARRAY with {} elements", places.len());
        }
        found.push(places.map(|place| place as u64).next());
    }
    Ok(take(list.values(), &UInt64Array::from(found), None)?)
}

#[cfg(test)]
mod tests {
    use super::sliced;

    #[test]
    fn slices_are_bounded_as_in_flink() {
        let check = |start, end, expected| assert_eq!(sliced(3, start, end), expected, "{start} to {end}");
        check(2, 9, (1, 3));
        check(-2, -1, (1, 3));
        check(0, 2, (0, 2));
        check(3, 2, (0, 0));
        check(9, 12, (0, 0));
        check(-9, 2, (0, 2));
        check(1, 0, (0, 1));
        check(1, -9, (0, 0));
        check(0, 0, (0, 1));
    }
}
