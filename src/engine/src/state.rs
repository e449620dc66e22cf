//! State files: an operator's captured rows as an Arrow IPC stream, sorted by key group. Pure: bytes in, bytes out.

use arrow::array::cast::AsArray;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::UInt32Type;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use tidemill_model::key_groups::KeyGroupRange;

/// The first column of captured rows: UInt32, the key group that the row belongs to.
pub const KEY_GROUP: &str = "key_group";

/// Rows of a record batch within a file.
const FILE_BATCH_ROWS: usize = 16_384;

/// A state file's content.
pub struct EncodedState {
    pub bytes: Vec<u8>,
    pub rows: u64,
    /// The lowest and the highest key group in it.
    pub key_groups: KeyGroupRange,
}

/// The file of captured rows; none if there are none.
pub fn encode(rows: &[RecordBatch]) -> Result<Option<EncodedState>, ArrowError> {
    let Some(first) = rows.first() else { return Ok(None) };
    let rows = concat_batches(first.schema_ref(), rows)?;
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let rows = sorted(&rows)?;
    let groups = rows.column(0).as_primitive::<UInt32Type>();
    let key_groups = KeyGroupRange { first: groups.value(0), last: groups.value(groups.len() - 1) };
    let mut writer = StreamWriter::try_new(Vec::new(), first.schema_ref())?;
    for start in (0..rows.num_rows()).step_by(FILE_BATCH_ROWS) {
        writer.write(&rows.slice(start, FILE_BATCH_ROWS.min(rows.num_rows() - start)))?;
    }
    Ok(Some(EncodedState { bytes: writer.into_inner()?, rows: rows.num_rows() as u64, key_groups }))
}

/// The record batches of a state file.
pub fn decode(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(bytes, None)?.collect()
}

fn sorted(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let groups = rows.column(0).as_primitive::<UInt32Type>();
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by_key(|row| groups.value(*row as usize));
    take_record_batch(rows, &UInt32Array::from(order))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn batch(groups: Vec<u32>, values: Vec<Option<&str>>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            (KEY_GROUP, Arc::new(UInt32Array::from(groups)) as ArrayRef, false),
            ("value", Arc::new(StringArray::from(values)) as ArrayRef, true),
        ])
        .unwrap()
    }

    #[test]
    fn rows_come_back_sorted_by_key_group() {
        let rows = vec![batch(vec![9, 2], vec![Some("a"), None]), batch(vec![5], vec![Some("c")])];
        let encoded = encode(&rows).unwrap().unwrap();
        assert_eq!((encoded.rows, encoded.key_groups), (3, KeyGroupRange { first: 2, last: 9 }));
        assert_eq!(decode(&encoded.bytes).unwrap(), [batch(vec![2, 5, 9], vec![None, Some("c"), Some("a")])]);
    }

    #[test]
    fn no_rows_make_no_file() {
        assert!(encode(&[]).unwrap().is_none());
        assert!(encode(&[batch(vec![], vec![])]).unwrap().is_none());
    }

    #[test]
    fn a_cut_file_is_refused() {
        let encoded = encode(&[batch(vec![1], vec![Some("a")])]).unwrap().unwrap();
        assert!(decode(&encoded.bytes[..encoded.bytes.len() / 2]).is_err());
    }
}
