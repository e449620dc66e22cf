//! Functions on MAPs, whose entries keep the order in which they were put in.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StringBuilder, StructArray};
use datafusion_common::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion_common::arrow::compute::interleave;
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Strict;
use super::Parameter::{Array as AnyArray, Map, SameAs, Text};
use super::arguments::Texts;
use super::kernel::own;
use super::lists::{Keys, Place, column, columns, elements, places};
use super::regex;
use super::{Form, Function, Returns};

pub(super) fn functions() -> Vec<Function> {
    const fn of_map(returns: Returns) -> Form {
        Form { parameters: &[Map], repeats: false, returns }
    }
    const KEYS: &[Form] = &[of_map(Returns::KeysOf(0))];
    const VALUES: &[Form] = &[of_map(Returns::ValuesOf(0))];
    const ENTRIES: &[Form] = &[of_map(Returns::EntriesOf(0))];
    vec![
        own("map_keys", KEYS, "MAP_KEYS(map)", Strict, |a| parts(a, |map| map.keys().clone())),
        own("map_values", VALUES, "MAP_VALUES(map)", Strict, |a| parts(a, |map| map.values().clone())),
        own("map_entries", ENTRIES, "MAP_ENTRIES(map)", Strict, entries),
        own(
            "map_from_arrays",
            &[Form { parameters: &[AnyArray, AnyArray], repeats: false, returns: Returns::MapOf(0, 1) }],
            "MAP_FROM_ARRAYS(array of keys, array of values)",
            Strict,
            from_arrays,
        ),
        own(
            "map_union",
            &[
                Form { parameters: &[Map], repeats: false, returns: Returns::SameAs(0) },
                Form { parameters: &[Map, SameAs(0)], repeats: true, returns: Returns::SameAs(0) },
            ],
            "MAP_UNION(map, …)",
            Strict,
            union,
        ),
        own(
            "str_to_map",
            &[
                Form { parameters: &[Text], repeats: false, returns: Returns::TextMap },
                Form { parameters: &[Text, Text, Text], repeats: false, returns: Returns::TextMap },
            ],
            "STR_TO_MAP(string [, 'between pairs', 'between key and value'])",
            Strict,
            from_text,
        )
        .checked(|constants| {
            constants.iter().skip(1).try_for_each(|pattern| regex::check_constant(pattern.as_deref()))
        }),
    ]
}

/// One part of every entry, as an array.
fn parts(arguments: &ScalarFunctionArgs, part: fn(&MapArray) -> ArrayRef) -> Result<ArrayRef> {
    let column = column(arguments, 0)?;
    let map = column.as_map();
    array_of(arguments.return_type(), map, part(map))
}

fn entries(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let column = column(arguments, 0)?;
    let map = column.as_map();
    let DataType::List(field) = arguments.return_type() else { return internal_err!("entries are an array") };
    let DataType::Struct(fields) = field.data_type() else { return internal_err!("entries are rows") };
    let entries = StructArray::try_new(fields.clone(), vec![map.keys().clone(), map.values().clone()], None)?;
    array_of(arguments.return_type(), map, Arc::new(entries))
}

fn array_of(returns: &DataType, map: &MapArray, values: ArrayRef) -> Result<ArrayRef> {
    let DataType::List(field) = returns else { return internal_err!("an array is returned as {returns}") };
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), map.offsets().clone(), values, map.nulls().cloned())?))
}

fn from_arrays(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (keys, values) = (column(arguments, 0)?, column(arguments, 1)?);
    let mut made = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        let (Some(keys), Some(values)) = (places(keys.as_list(), row), places(values.as_list(), row)) else {
            made.push(None);
            continue;
        };
        if keys.len() != values.len() {
            return exec_err!("MAP_FROM_ARRAYS has {} keys but {} values", keys.len(), values.len());
        }
        made.push(Some(keys.map(|place| (0, place)).zip(values.map(|place| (0, place))).collect()));
    }
    map_of(arguments.return_type(), &[elements(&keys)], &[elements(&values)], made)
}

/// Of a key that several maps have, the last value counts.
fn union(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let maps = columns(arguments)?;
    let maps: Vec<&MapArray> = maps.iter().map(|map| map.as_map()).collect();
    let (keys, values): (Vec<_>, Vec<_>) = maps.iter().map(|map| (map.keys(), map.values())).unzip();
    let entries = |row: usize| {
        let mut all: Vec<(Place, Place)> = Vec::new();
        for (source, map) in maps.iter().enumerate() {
            let offsets = map.value_offsets();
            if map.is_null(row) {
                return None;
            }
            all.extend(
                (offsets[row]..offsets[row + 1]).map(|place| ((source, place as usize), (source, place as usize))),
            );
        }
        Some(all)
    };
    map_of(arguments.return_type(), &keys, &values, (0..arguments.number_rows).map(entries).collect())
}

/// Maps of the entries that stand at these places of `keys` and `values`, for every row. Of a key that is there more
/// than once, the last value counts. A key must not be NULL.
fn map_of(
    returns: &DataType,
    keys: &[&ArrayRef],
    values: &[&ArrayRef],
    rows: Vec<Option<Vec<(Place, Place)>>>,
) -> Result<ArrayRef> {
    let written = Keys::of(keys)?;
    let (mut key_places, mut value_places) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        valid.push(row.is_some());
        let mut known = std::collections::HashMap::new();
        let begin = key_places.len();
        for (key, value) in row.unwrap_or_default() {
            if keys[key.0].is_null(key.1) {
                return exec_err!("a MAP cannot have NULL as a key");
            }
            match known.get(&written.get(key)) {
                Some(place) => value_places[*place] = value,
                None => {
                    known.insert(written.get(key), key_places.len());
                    key_places.push(key);
                    value_places.push(value);
                }
            }
        }
        lengths.push(key_places.len() - begin);
    }
    let picked = |sources: &[&ArrayRef], places: &[Place]| {
        let arrays: Vec<&dyn Array> = sources.iter().map(|source| &***source).collect();
        interleave(&arrays, places)
    };
    finished(returns, picked(keys, &key_places)?, picked(values, &value_places)?, lengths, valid)
}

fn finished(
    returns: &DataType,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
    valid: Vec<bool>,
) -> Result<ArrayRef> {
    let DataType::Map(field, sorted) = returns else { return internal_err!("a map is returned as {returns}") };
    let DataType::Struct(fields) = field.data_type() else { return internal_err!("a map of {field}") };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, Some(NullBuffer::from(valid)), *sorted)?))
}

/// A part without a second half is a key whose value is NULL. Empty parts at the end are none, as for Java's `split`.
fn from_text(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let pattern = |place: usize, default| match arguments.args.len() {
        1 => regex::compiled_text(default),
        _ => regex::compiled(arguments, place),
    };
    let (between, within) = (pattern(1, ",")?, pattern(2, "=")?);
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..arguments.number_rows {
        let text = texts.get(row);
        valid.push(text.is_some());
        let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
        let mut parts: Vec<&str> = text.into_iter().flat_map(|text| between.split(text)).collect();
        while parts.pop_if(|last| last.is_empty()).is_some() {}
        for part in parts {
            let mut halves = within.splitn(part, 2);
            let (key, value) = (halves.next().unwrap_or_default(), halves.next());
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        lengths.push(entries.len());
        for (key, value) in entries {
            keys.append_value(key);
            values.append_option(value);
        }
    }
    finished(arguments.return_type(), Arc::new(keys.finish()), Arc::new(values.finish()), lengths, valid)
}
