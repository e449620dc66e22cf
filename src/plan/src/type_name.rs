//! What SQL calls the types that values are kept in.

use arrow_schema::{DataType, TimeUnit};

use crate::nested::{element_of, multiset};

/// The type's name in SQL.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_string(),
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int8 => "TINYINT".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INT".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::Float32 => "FLOAT".to_string(),
        DataType::Float64 => "DOUBLE".to_string(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "STRING".to_string(),
        DataType::Binary => "BYTES".to_string(),
        DataType::Date32 => "DATE".to_string(),
        DataType::Time32(_) => "TIME".to_string(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP(3)".to_string(),
        DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => "TIMESTAMP_LTZ(3)".to_string(),
        DataType::Interval(_) => "INTERVAL".to_string(),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
            format!("ROW<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::List(element) => format!("ARRAY<{}>", type_name(element.data_type())),
        DataType::Map(_, _) => match element_of(data_type) {
            Some((element, _)) if *data_type == multiset(element.clone()) => {
                format!("MULTISET<{}>", type_name(&element))
            }
            Some((key, value)) => format!("MAP<{}, {}>", type_name(&key), type_name(&value)),
            None => "MAP".to_string(),
        },
        other => format!("{other}"),
    }
}
