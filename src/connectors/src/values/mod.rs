//! Rows that stand in the table's options: for constants, small dimension tables and tests.
//!
//! | option | meaning |
//! |---|---|
//! | `rows` | the rows, a JSON array of objects by column; a column that an object lacks is NULL |
//!
//! There is one split, which ends; its position is the number of rows that have been read. Values are written as in the
//! `json` format. Rows can also be looked up in the table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::{Value, json};
use tidemill_engine::connector::{
    AssignedSplit, Connector, Lookup, Polled, Result, Sink, Source, SourceReader, SourceStats, Split, TaskContext,
};
use tidemill_plan::Table;

use crate::formats::json::JsonOptions;
use crate::formats::json::decoder::Decoder;
use crate::options::{Options, invalid, wrong_direction};

pub struct Values;

impl Connector for Values {
    fn source(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(ValuesSource { table: table.clone(), rows: read(table, schema)? }))
    }

    fn lookup(&self, table: &Table, schema: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Lookup>> {
        Ok(Arc::new(Constant { rows: read(table, schema)? }))
    }

    fn sink(&self, table: &Table, _: SchemaRef, _: &TaskContext) -> Result<Arc<dyn Sink>> {
        Err(wrong_direction(table, "read", "written"))
    }
}

fn read(table: &Table, schema: SchemaRef) -> Result<RecordBatch> {
    let options = Options::new(table);
    let text = options.required("rows")?;
    options.finish()?;
    let wanted = || r#"a JSON array of objects, such as [{"id": 1}]"#;
    let rows: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| options.bad_value("rows", text, &format!("is not what it should be ({error})"), wanted()))?;
    let messages: Vec<Vec<u8>> = rows.iter().map(|row| row.to_string().into_bytes()).collect();
    let mut decoder = Decoder::new(table, schema, JsonOptions::default(), messages.len())?;
    decoder.decode(messages.iter().map(Vec::as_slice)).map_err(|fault| {
        let row = rows.get(fault.index).map(Value::to_string).unwrap_or_default();
        options.bad_value("rows", &row, &format!("has a row that cannot be read: {}", fault.reason), wanted())
    })
}

/// Rows that never change.
struct Constant {
    rows: RecordBatch,
}

impl Lookup for Constant {
    fn load(&self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.rows.clone()])
    }
}

struct ValuesSource {
    table: Table,
    rows: RecordBatch,
}

impl Source for ValuesSource {
    fn splits(&self) -> Result<Vec<Split>> {
        Ok(vec![Split { id: "rows".to_string(), number: 0 }])
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        let next = splits.iter().map(|split| self.start(split)).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(ValuesReader { rows: self.rows.clone(), next, read: 0 }))
    }

    fn bounded(&self) -> bool {
        true
    }
}

impl ValuesSource {
    /// A position behind the end is of a table that had more rows: going on would leave out what stands there now.
    fn start(&self, split: &AssignedSplit) -> Result<usize> {
        let Some(position) = &split.position else { return Ok(0) };
        let row = position["row"].as_u64().and_then(|row| usize::try_from(row).ok());
        row.filter(|row| *row <= self.rows.num_rows()).ok_or_else(|| {
            let message = format!("the stored position {position} is not one of its {} rows", self.rows.num_rows());
            invalid(&self.table, message, "restore the rows that the job was started with, or start without state")
        })
    }
}

struct ValuesReader {
    rows: RecordBatch,
    /// The row to go on with, for each split that this reader has: one or none.
    next: Vec<usize>,
    read: u64,
}

impl SourceReader for ValuesReader {
    fn poll(&mut self, max_rows: usize) -> Result<Polled> {
        for (split, next) in self.next.iter_mut().enumerate() {
            let count = max_rows.max(1).min(self.rows.num_rows() - *next);
            if count > 0 {
                let rows = self.rows.slice(*next, count);
                *next += count;
                self.read += count as u64;
                return Ok(Polled::Batch { split, rows });
            }
        }
        Ok(Polled::Finished)
    }

    fn hold(&mut self, _held: &[bool]) {
        // There is one split at most, and a reader whose every split has to wait is not asked.
    }

    fn positions(&self) -> Vec<Value> {
        self.next.iter().map(|next| json!({ "row": next })).collect()
    }

    fn stats(&self) -> SourceStats {
        let left = self.next.iter().map(|next| (self.rows.num_rows() - next) as u64).sum();
        SourceStats { records: self.read, lag_records: Some(left), ..SourceStats::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn table(rows: &str) -> Table {
        let options = BTreeMap::from([("rows".to_string(), rows.to_string())]);
        Table { name: "t".to_string(), connector: "values".to_string(), options, ..Default::default() }
    }

    fn open(rows: &str) -> Result<Arc<dyn Source>> {
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
        let context = TaskContext {
            changelog: tidemill_plan::Changelog::Append,
            application: "a/b".to_string(),
            application_uid: "u".to_string(),
            operator: "source-t".to_string(),
            parallelism: 1,
        };
        Values.source(&table(rows), Arc::new(schema), &context)
    }

    fn reader(source: &dyn Source, position: Option<Value>) -> Result<Box<dyn SourceReader>> {
        let split = source.splits()?.remove(0);
        source.reader(vec![AssignedSplit { id: split.id, number: split.number, position }])
    }

    /// The ids of the next rows; none at the end.
    fn poll(reader: &mut dyn SourceReader, most: usize) -> Option<Vec<Option<i64>>> {
        match reader.poll(most).unwrap() {
            Polled::Batch { rows, .. } => Some(rows.column(0).as_primitive::<Int64Type>().iter().collect()),
            Polled::Finished => None,
            Polled::Pending | Polled::Ended { .. } | Polled::PendingFor { .. } => panic!("rows are there at once"),
        }
    }

    #[test]
    fn rows_come_in_order_once_and_end() {
        let source = open(r#"[{"id": 1, "other": "x"}, {}, {"id": 3}]"#).unwrap();
        assert!(source.bounded());
        let mut first = reader(&*source, None).unwrap();
        assert_eq!(poll(&mut *first, 2), Some(vec![Some(1), None]));
        // Whoever goes on from here reads the rest and nothing twice.
        let position = first.positions().remove(0);
        let mut second = reader(&*source, Some(position)).unwrap();
        assert_eq!(poll(&mut *second, 10), Some(vec![Some(3)]));
        assert_eq!(poll(&mut *second, 10), None);
        assert_eq!(second.stats().lag_records, Some(0));
    }

    #[test]
    fn a_reader_without_splits_is_at_its_end() {
        let mut reader = open("[{}]").unwrap().reader(Vec::new()).unwrap();
        assert_eq!(poll(&mut *reader, 1), None);
        assert!(reader.positions().is_empty());
    }

    #[test]
    fn what_is_no_row_or_no_position_is_refused() {
        let refused = |rows: &str| open(rows).err().map(|problem| problem.message).unwrap_or_default();
        assert!(refused("{").contains("`rows`"));
        assert!(refused("[1]").contains("cannot be read"));
        assert!(refused(r#"[{"id": "x"}]"#).contains("cannot be read"));
        let source = open("[{}]").unwrap();
        for position in [json!({ "row": 2 }), json!(null)] {
            assert!(reader(&*source, Some(position)).is_err());
        }
    }
}
