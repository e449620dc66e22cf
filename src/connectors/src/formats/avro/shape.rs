//! Arrays of one type as those of another that holds the same values: what Avro's codec has, and what tables have. Pure.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, PrimitiveArray, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{TimestampMicrosecondType, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow_schema::{DataType, Fields, TimeUnit};

/// The array as one of this type. A value that does not fit is an error.
pub fn reshaped(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    Ok(match (array.data_type(), to) {
        (DataType::Struct(_), DataType::Struct(fields)) => Arc::new(row(array.as_struct(), fields)?),
        (DataType::List(_), DataType::List(element)) => {
            let lists = array.as_list::<i32>();
            let values = reshaped(lists.values(), element.data_type())?;
            Arc::new(ListArray::try_new(element.clone(), lists.offsets().clone(), values, lists.nulls().cloned())?)
        }
        (DataType::Map(_, _), DataType::Map(entries, sorted)) => {
            let maps = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else { return Err(unfit(array, to)) };
            let of = row(maps.entries(), fields)?;
            let (offsets, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
            Arc::new(MapArray::try_new(entries.clone(), offsets, of, nulls, *sorted)?)
        }
        // A TIMESTAMP stands for the same number, with a zone or without.
        (DataType::Timestamp(from, _), DataType::Timestamp(into, zone)) => {
            timestamps(array, *from, *into, zone.clone()).ok_or_else(|| unfit(array, to))?
        }
        _ => cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })?,
    })
}

fn row(rows: &StructArray, fields: &Fields) -> Result<StructArray, ArrowError> {
    let columns = rows.columns().iter().zip(fields).map(|(column, field)| reshaped(column, field.data_type()));
    StructArray::try_new(fields.clone(), columns.collect::<Result<_, _>>()?, rows.nulls().cloned())
}

fn timestamps(array: &ArrayRef, from: TimeUnit, into: TimeUnit, zone: Option<Arc<str>>) -> Option<ArrayRef> {
    type Millis = PrimitiveArray<TimestampMillisecondType>;
    type Micros = PrimitiveArray<TimestampMicrosecondType>;
    use TimeUnit::{Microsecond, Millisecond};
    let millis = || array.as_primitive::<TimestampMillisecondType>();
    let micros = || array.as_primitive::<TimestampMicrosecondType>();
    Some(match (from, into) {
        (Millisecond, Millisecond) => Arc::new(millis().clone().with_timezone_opt(zone)),
        (Microsecond, Microsecond) => Arc::new(micros().clone().with_timezone_opt(zone)),
        (Microsecond, Millisecond) => {
            let floored: Millis = micros().unary(|micros| micros.div_euclid(1_000));
            Arc::new(floored.with_timezone_opt(zone))
        }
        (Millisecond, Microsecond) => {
            let finer: Micros = millis().try_unary(|millis| millis.checked_mul(1_000).ok_or(())).ok()?;
            Arc::new(finer.with_timezone_opt(zone))
        }
        _ => return None,
    })
}

fn unfit(array: &ArrayRef, to: &DataType) -> ArrowError {
    ArrowError::CastError(format!("{} does not become {to}", array.data_type()))
}
