//! Values of every type as text, as Flink's CAST writes them.

use arrow_schema::{DataType, TimeUnit};
use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray};
use datafusion_common::arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Time32MillisecondType, TimestampMillisecondType,
};
use datafusion_common::arrow::util::display::array_value_to_string;

use super::lists::places;
use super::pattern::format_timestamp;
use super::text::{java_double, java_float};

/// The value of a row, NULL as `NULL`.
pub(super) fn text_of(values: &ArrayRef, row: usize) -> Result<String> {
    if values.is_null(row) {
        return Ok("NULL".to_string());
    }
    Ok(match values.data_type() {
        DataType::Boolean if values.as_boolean().value(row) => "TRUE".to_string(),
        DataType::Boolean => "FALSE".to_string(),
        DataType::Utf8 => values.as_string::<i32>().value(row).to_string(),
        DataType::Binary => String::from_utf8_lossy(values.as_binary::<i32>().value(row)).into_owned(),
        DataType::Float32 => java_float(values.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => java_double(values.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>().value(row);
            format_timestamp(i64::from(days) * 86_400_000, "yyyy-MM-dd")
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            let millis = values.as_primitive::<Time32MillisecondType>().value(row);
            format_timestamp(millis.into(), "HH:mm:ss.SSS")
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let millis = values.as_primitive::<TimestampMillisecondType>().value(row);
            format_timestamp(millis, "yyyy-MM-dd HH:mm:ss.SSS")
        }
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            let elements = places(list, row).unwrap_or_default().map(|place| text_of(list.values(), place));
            format!("[{}]", elements.collect::<Result<Vec<_>>>()?.join(", "))
        }
        DataType::Struct(_) => {
            let fields = values.as_struct().columns().iter().map(|field| text_of(field, row));
            format!("({})", fields.collect::<Result<Vec<_>>>()?.join(", "))
        }
        DataType::Map(_, _) => {
            let map = values.as_map();
            let offsets = map.value_offsets();
            let entry = |place: i32| {
                Ok(format!("{}={}", text_of(map.keys(), place as usize)?, text_of(map.values(), place as usize)?))
            };
            let entries = (offsets[row]..offsets[row + 1]).map(entry);
            format!("{{{}}}", entries.collect::<Result<Vec<_>>>()?.join(", "))
        }
        _ => array_value_to_string(values, row)?,
    })
}
