//! Cells: from a case's texts to columns, and from columns to the texts that Flink's CAST to STRING gives.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use arrow::json::ReaderBuilder;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::case::Input;

/// A column of a table's rows.
pub fn parsed(input: &Input, place: usize, data_type: &DataType) -> Result<ArrayRef, String> {
    let texts: StringArray = input.rows.iter().map(|row| row.get(place).cloned().flatten()).collect();
    let column = match data_type {
        DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _) => from_json(&texts, data_type),
        _ => cast(&texts, data_type).map_err(|error| error.to_string()),
    };
    let column = column.map_err(|error| format!("column {place} of {}: {error}", input.name))?;
    if column.null_count() > texts.null_count() {
        return Err(format!("a cell in column {place} of {} is no {data_type}", input.name));
    }
    Ok(column)
}

/// Rows, arrays and maps are written as JSON.
fn from_json(texts: &StringArray, data_type: &DataType) -> Result<ArrayRef, String> {
    let schema = Arc::new(Schema::new(vec![Field::new("cell", data_type.clone(), true)]));
    let lines: String = texts.iter().map(|text| format!("{{\"cell\":{}}}\n", text.unwrap_or("null"))).collect();
    let mut decoder = ReaderBuilder::new(schema).build_decoder().map_err(|error| error.to_string())?;
    decoder.decode(lines.as_bytes()).map_err(|error| error.to_string())?;
    let batch = decoder.flush().map_err(|error| error.to_string())?;
    Ok(batch.map_or_else(|| arrow::array::new_empty_array(data_type), |batch| batch.column(0).clone()))
}

/// A column's values as texts.
pub fn texts(column: &dyn Array) -> Vec<String> {
    (0..column.len()).map(|row| text(column, row)).collect()
}

fn text(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_string();
    }
    match column.data_type() {
        DataType::Binary => String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string().to_uppercase(),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            number(value.into(), &format!("{value:e}"))
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            number(value, &format!("{value:e}"))
        }
        DataType::List(_) => format!("[{}]", texts(&column.as_list::<i32>().value(row)).join(", ")),
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let pairs = texts(entries.column(0)).into_iter().zip(texts(entries.column(1)));
            let mut pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
            // A map has no order.
            pairs.sort();
            format!("{{{}}}", pairs.join(", "))
        }
        DataType::Struct(_) => {
            let fields = column.as_struct().columns().iter().map(|field| text(field, row));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        _ => {
            let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.3f"));
            let formatter =
                ArrayFormatter::try_new(column, &options.with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f")));
            formatter.expect("every type can be shown").value(row).to_string()
        }
    }
}

/// As Java writes it, from digits in the form `1.25e-7`.
fn number(value: f64, digits: &str) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_string();
    }
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    let written = if plain { shifted(mantissa, exponent) } else { mantissa.to_string() };
    let written = if written.contains('.') { written } else { written + ".0" };
    if plain { written } else { format!("{written}E{exponent}") }
}

/// `mantissa` times ten to the `exponent`, without an exponent.
fn shifted(mantissa: &str, exponent: &str) -> String {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let point = 1 + exponent.parse::<i32>().expect("an exponent is a number");
    let (whole, fraction) = if point <= 0 {
        ("0".to_string(), "0".repeat(-point as usize) + &digits)
    } else {
        let padded = format!("{digits:0<width$}", width = point as usize);
        let (whole, fraction) = padded.split_at(point as usize);
        (whole.to_string(), fraction.to_string())
    };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let written = texts(&Float64Array::from(vec![0.0, -1.5, 1e7, 9999999.0, 0.001, 0.00099, 120.0, -0.0]));
        assert_eq!(written, ["0.0", "-1.5", "1.0E7", "9999999.0", "0.001", "9.9E-4", "120.0", "-0.0"]);
    }
}
