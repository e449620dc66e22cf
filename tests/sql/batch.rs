//! A query, computed all at once by DataFusion over the same rows.

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;

use crate::case::File;
use crate::stream::{Table, columns, parsed, texts};

/// The rows that DataFusion gives for a query.
pub async fn run(file: &File, sql: &str) -> Result<Table, String> {
    let context = SessionContext::new();
    for input in &file.inputs {
        let mut fields = Vec::new();
        for (place, (name, sql_type)) in columns(input)?.into_iter().enumerate() {
            fields.push((name, parsed(input, place, &arrow_type(&sql_type)?)?, true));
        }
        let rows = RecordBatch::try_from_iter_with_nullable(fields).map_err(|error| error.to_string())?;
        context.register_batch(&input.name, rows).map_err(|error| error.to_string())?;
    }
    for definition in file.definitions.split(';').filter(|text| !text.trim().is_empty()) {
        // What DataFusion does not know, a query that needs it does without by its own text.
        let _ = context.sql(definition).await;
    }
    let query = context.sql(sql).await.map_err(|error| error.to_string())?;
    let batches = query.collect().await.map_err(|error| error.to_string())?;
    let mut table = Table::new();
    for row in batches.iter().flat_map(texts) {
        *table.entry(row).or_default() += 1;
    }
    Ok(table)
}

fn arrow_type(sql_type: &str) -> Result<arrow::datatypes::DataType, String> {
    use arrow::datatypes::{DataType, TimeUnit};
    Ok(match sql_type {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "INT" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "STRING" => DataType::Utf8,
        "DATE" => DataType::Date32,
        "TIMESTAMP(3)" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "TIMESTAMP_LTZ(3)" => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        other => match other.strip_prefix("DECIMAL(").and_then(|rest| rest.strip_suffix(')')) {
            Some(parts) => {
                let (precision, scale) = parts.split_once(", ").ok_or("a decimal has two parts")?;
                let wrong = |error: std::num::ParseIntError| error.to_string();
                DataType::Decimal128(precision.parse().map_err(wrong)?, scale.parse().map_err(wrong)?)
            }
            None => return Err(format!("tables of cases cannot have the type {other}")),
        },
    })
}
