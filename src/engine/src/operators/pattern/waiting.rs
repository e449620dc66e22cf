//! Rows that wait for their turn, and the order in which they are taken.

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use tidemill_plan::SortKey;

use super::matcher::Due;
use crate::rows::{RowId, RowStore};

/// A row that has not been taken yet.
#[derive(Clone, Copy, Debug)]
pub struct WaitingRow {
    pub id: RowId,
    pub group: u32,
    pub time: i64,
}

/// Takes from `waiting`, whose rows are in the order in which they came, those of this time and earlier.
pub fn due_rows(waiting: &mut Vec<WaitingRow>, time: i64) -> Vec<WaitingRow> {
    if waiting.iter().all(|row| row.time <= time) {
        return std::mem::take(waiting);
    }
    waiting.extract_if(.., |row| row.time <= time).collect()
}

/// The order of rows of the same time.
pub struct Order {
    columns: Vec<usize>,
    converter: Option<RowConverter>,
}

impl Order {
    pub fn new(then: &[SortKey], input: &Schema) -> Result<Self, ArrowError> {
        let field = |key: &SortKey| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(input.field(key.column).data_type().clone(), options)
        };
        let converter = match then {
            [] => None,
            keys => Some(RowConverter::new(keys.iter().map(field).collect())?),
        };
        Ok(Self { columns: then.iter().map(|key| key.column).collect(), converter })
    }

    /// The rows, partition by partition, in their order.
    pub fn sorted(&self, rows: &[WaitingRow], store: &RowStore) -> Result<Due, ArrowError> {
        let keys = self.keys(rows, store)?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        match &keys {
            None => order.sort_by_key(|place| (rows[*place].group, rows[*place].time)),
            Some(keys) => {
                order.sort_by_key(|place| (rows[*place].group, rows[*place].time, keys.row(*place)));
            }
        }
        Ok(Due {
            ids: order.iter().map(|place| rows[*place].id).collect(),
            groups: order.iter().map(|place| rows[*place].group).collect(),
            times: order.iter().map(|place| rows[*place].time).collect(),
        })
    }

    fn keys(&self, rows: &[WaitingRow], store: &RowStore) -> Result<Option<Rows>, ArrowError> {
        let Some(converter) = &self.converter else { return Ok(None) };
        let ids: Vec<RowId> = rows.iter().map(|row| row.id).collect();
        let columns: Vec<ArrayRef> =
            self.columns.iter().map(|column| store.column(*column, &ids)).collect::<Result<_, _>>()?;
        converter.convert_columns(&columns).map(Some)
    }
}
