//! The Avro schema of a table's columns, as Flink derives it, and the Arrow types that stand for it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use serde_json::{Value, json};
use tidemill_plan::nested::element_of;

use super::Timestamps;

/// The name of a table's records. Those of rows in them have the columns' names behind it.
const RECORD: &str = "org.apache.flink.avro.generated.record";

/// Why columns have no schema: what is wrong, and what to do.
pub struct Unfit {
    pub message: String,
    pub remedy: String,
}

/// The schema of records of these columns, as they are declared.
pub fn record(columns: &[Arc<Field>], timestamps: Timestamps) -> Result<Value, Unfit> {
    row(columns, RECORD, timestamps)
}

fn row(fields: &[Arc<Field>], name: &str, timestamps: Timestamps) -> Result<Value, Unfit> {
    let mut declared = Vec::with_capacity(fields.len());
    for field in fields {
        check_name(field.name())?;
        let of_field = format!("{name}_{}", field.name());
        let mut one = json!({ "name": field.name(), "type": value(field, &of_field, timestamps)? });
        if field.is_nullable() {
            one["default"] = Value::Null;
        }
        declared.push(one);
    }
    Ok(json!({ "type": "record", "name": name, "fields": declared }))
}

/// The schema of a value that may be NULL, or not.
fn value(field: &Field, name: &str, timestamps: Timestamps) -> Result<Value, Unfit> {
    let present = present(field, name, timestamps)?;
    Ok(if field.is_nullable() { json!(["null", present]) } else { present })
}

fn present(field: &Field, name: &str, timestamps: Timestamps) -> Result<Value, Unfit> {
    Ok(match field.data_type() {
        DataType::Boolean => json!("boolean"),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Utf8 => json!("string"),
        DataType::Binary => json!("bytes"),
        DataType::Date32 => json!({ "type": "int", "logicalType": "date" }),
        DataType::Time32(TimeUnit::Millisecond) => json!({ "type": "int", "logicalType": "time-millis" }),
        DataType::Decimal128(precision, scale) => {
            json!({ "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale })
        }
        DataType::Timestamp(unit, zone) => {
            json!({ "type": "long", "logicalType": timestamp(field.name(), *unit, zone.is_some(), timestamps)? })
        }
        DataType::Struct(fields) => row(fields, name, timestamps)?,
        DataType::List(element) => json!({ "type": "array", "items": value(element, name, timestamps)? }),
        DataType::Map(entries, _) => {
            let (_, values) = entries_of(entries).ok_or_else(|| unfit(field))?;
            match element_of(field.data_type()) {
                Some((DataType::Utf8, _)) => json!({ "type": "map", "values": value(values, name, timestamps)? }),
                _ => {
                    return Err(Unfit {
                        message: format!(
                            "the keys of the MAP `{}` are no STRING, and Avro has no others",
                            field.name()
                        ),
                        remedy: "declare the MAP with keys of type STRING".to_string(),
                    });
                }
            }
        }
        _ => return Err(unfit(field)),
    })
}

fn unfit(field: &Field) -> Unfit {
    Unfit {
        message: format!("the column `{}` has a type that Avro has no form for", field.name()),
        remedy: "declare another type".to_string(),
    }
}

/// The logical type of a timestamp: with a time zone or without, of the unit that its precision asks for.
fn timestamp(column: &str, unit: TimeUnit, has_zone: bool, timestamps: Timestamps) -> Result<&'static str, Unfit> {
    const OPTION: &str = "'avro.timestamp_mapping.legacy' = 'false'";
    match (timestamps, has_zone, unit) {
        (Timestamps::Legacy, true, _) => Err(Unfit {
            message: format!(
                "the column `{column}` is a TIMESTAMP_LTZ, which Avro does not take in Flink's old mapping"
            ),
            remedy: format!("set {OPTION}, or declare a TIMESTAMP(3)"),
        }),
        (Timestamps::Legacy, false, TimeUnit::Millisecond) => Ok("timestamp-millis"),
        (Timestamps::Legacy, false, _) => Err(Unfit {
            message: format!("the TIMESTAMP `{column}` is finer than Avro takes in Flink's old mapping"),
            remedy: format!("declare a TIMESTAMP(3), or set {OPTION}"),
        }),
        (Timestamps::Standard, true, TimeUnit::Millisecond) => Ok("timestamp-millis"),
        (Timestamps::Standard, true, TimeUnit::Microsecond) => Ok("timestamp-micros"),
        (Timestamps::Standard, false, TimeUnit::Millisecond) => Ok("local-timestamp-millis"),
        (Timestamps::Standard, false, TimeUnit::Microsecond) => Ok("local-timestamp-micros"),
        (Timestamps::Standard, _, _) => Err(Unfit {
            message: format!("the timestamp `{column}` is finer than Avro takes"),
            remedy: "declare it with a precision of 6 at most".to_string(),
        }),
    }
}

fn check_name(name: &str) -> Result<(), Unfit> {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let mut bytes = name.bytes();
    match bytes.next().is_some_and(|first| is_letter(&first))
        && bytes.all(|byte| is_letter(&byte) || byte.is_ascii_digit())
    {
        true => Ok(()),
        false => Err(Unfit {
            message: format!("`{name}` is no name that Avro has"),
            remedy: "use letters, digits and _, a letter first".to_string(),
        }),
    }
}

fn entries_of(entries: &Field) -> Option<(&Arc<Field>, &Arc<Field>)> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((&fields[0], &fields[1])),
        _ => None,
    }
}

/// The columns as Avro's encoder takes them.
pub fn encoded(columns: &[Arc<Field>], timestamps: Timestamps) -> Fields {
    columns.iter().map(|field| encoded_field(field, timestamps)).collect()
}

fn encoded_field(field: &Arc<Field>, timestamps: Timestamps) -> Arc<Field> {
    let data_type = match field.data_type() {
        DataType::Int8 | DataType::Int16 => DataType::Int32,
        DataType::Timestamp(unit, zone) => {
            let has_zone = zone.is_some() || timestamps == Timestamps::Legacy;
            DataType::Timestamp(*unit, has_zone.then(|| "+00:00".into()))
        }
        DataType::Struct(fields) => DataType::Struct(encoded(fields, timestamps)),
        DataType::List(element) => DataType::List(encoded_field(element, timestamps)),
        DataType::Map(entries, sorted) => DataType::Map(encoded_field(entries, timestamps), *sorted),
        other => other.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}
