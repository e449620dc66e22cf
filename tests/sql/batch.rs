//! A query, computed all at once by DataFusion over the same rows.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::case::{File, Input};
use crate::cells::parsed;
use crate::stream::{Table, schema, texts};

/// The rows that DataFusion gives for a query.
pub async fn run(file: &File, sql: &str) -> Result<Table, String> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    for input in &file.inputs {
        context.register_batch(&input.name, remaining(input)?).map_err(|error| error.to_string())?;
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

/// A table's rows but those that its changes take back.
fn remaining(input: &Input) -> Result<RecordBatch, String> {
    let schema = schema(input)?;
    let columns = schema.fields().iter().enumerate().map(|(place, field)| parsed(input, place, field.data_type()));
    let columns = columns.collect::<Result<_, String>>()?;
    let rows = RecordBatch::try_new(Arc::new(schema), columns).map_err(|error| error.to_string())?;
    let Some(additions) = &input.additions else { return Ok(rows) };
    let mut left: Vec<u32> = Vec::new();
    for (row, added) in additions.iter().enumerate() {
        if *added {
            left.push(row as u32);
            continue;
        }
        let taken_back = left.iter().rposition(|other| input.rows[*other as usize] == input.rows[row]);
        left.remove(taken_back.ok_or(format!("{:?} is taken back but is not there", input.rows[row]))?);
    }
    take_record_batch(&rows, &UInt32Array::from(left)).map_err(|error| error.to_string())
}
