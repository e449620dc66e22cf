//! State files: an operator's captured rows as an Arrow IPC stream, sorted by key group. Pure: bytes in, bytes out.

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::UInt32Type;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use tidemill_model::key_groups::{KEY_GROUPS, KeyGroupRange};

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

/// The files of captured rows, one after the other; none if there are none. Only one is in memory at a time.
pub fn encode(rows: &[RecordBatch], file_bytes: usize, mut each: impl FnMut(EncodedState)) -> Result<(), ArrowError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let (schema, batches) = (first.schema_ref(), rows.iter().collect::<Vec<_>>());
    let order = sorted(rows);
    let mut parts = order.chunks(FILE_BATCH_ROWS);
    let mut next = parts.next();
    while next.is_some() {
        let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
        let (mut count, mut lowest, mut highest) = (0, u32::MAX, 0);
        while let Some(part) = next {
            let places: Vec<(usize, usize)> =
                part.iter().map(|(batch, row)| (*batch as usize, *row as usize)).collect();
            let rows = interleave_record_batch(&batches, &places)?;
            let groups = rows.column(0).as_primitive::<UInt32Type>().values();
            (lowest, highest) = (lowest.min(groups[0]), groups[groups.len() - 1]);
            count += groups.len() as u64;
            writer.write(&rows)?;
            next = parts.next();
            if writer.get_ref().len() >= file_bytes {
                break;
            }
        }
        let key_groups = KeyGroupRange { first: lowest, last: highest };
        each(EncodedState { bytes: writer.into_inner()?, rows: count, key_groups });
    }
    Ok(())
}

/// The record batches of a state file.
pub fn decode(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(bytes, None)?.collect()
}

/// The places of all rows, batch and row, in the order of their key groups.
fn sorted(rows: &[RecordBatch]) -> Vec<(u32, u32)> {
    let groups = || rows.iter().map(|rows| rows.column(0).as_primitive::<UInt32Type>().values());
    let mut next = vec![0; KEY_GROUPS as usize + 1];
    groups().flatten().for_each(|group| next[*group as usize + 1] += 1);
    (1..next.len()).for_each(|group| next[group] += next[group - 1]);
    let mut places = vec![(0, 0); next[KEY_GROUPS as usize]];
    for (batch, groups) in groups().enumerate() {
        for (row, group) in groups.iter().enumerate() {
            let place = &mut next[*group as usize];
            places[*place] = (batch as u32, row as u32);
            *place += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray, UInt32Array};

    use super::*;

    fn batch(groups: Vec<u32>, values: Vec<Option<&str>>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            (KEY_GROUP, Arc::new(UInt32Array::from(groups)) as ArrayRef, false),
            ("value", Arc::new(StringArray::from(values)) as ArrayRef, true),
        ])
        .unwrap()
    }

    fn files(rows: &[RecordBatch], file_bytes: usize) -> Vec<EncodedState> {
        let mut files = Vec::new();
        encode(rows, file_bytes, |file| files.push(file)).unwrap();
        files
    }

    #[test]
    fn rows_come_back_sorted_by_key_group() {
        let rows = vec![batch(vec![9, 2], vec![Some("a"), None]), batch(vec![5], vec![Some("c")])];
        let [encoded] = &files(&rows, usize::MAX)[..] else { panic!("it is one file") };
        assert_eq!((encoded.rows, encoded.key_groups), (3, KeyGroupRange { first: 2, last: 9 }));
        assert_eq!(decode(&encoded.bytes).unwrap(), [batch(vec![2, 5, 9], vec![None, Some("c"), Some("a")])]);
    }

    #[test]
    fn much_becomes_several_files() {
        let groups: Vec<u32> = (0..50_000).map(|row| row * 7 % KEY_GROUPS).collect();
        let values: Vec<String> = (0..50_000).map(|row| row.to_string()).collect();
        let rows = batch(groups.clone(), values.iter().map(|value| Some(value.as_str())).collect());
        let files = files(&[rows.slice(0, 20_000), rows.slice(20_000, 30_000)], 1);
        assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [16_384, 16_384, 16_384, 848]);
        assert!(files.windows(2).all(|pair| pair[0].key_groups.last <= pair[1].key_groups.first));
        let mut found = Vec::new();
        for rows in files.iter().flat_map(|file| decode(&file.bytes).unwrap()) {
            let groups = rows.column(0).as_primitive::<UInt32Type>().values().to_vec();
            let values = rows.column(1).as_string::<i32>().iter().map(|value| value.unwrap().to_string());
            found.extend(groups.into_iter().zip(values.collect::<Vec<_>>()));
        }
        let mut expected: Vec<(u32, String)> = groups.into_iter().zip(values).collect();
        expected.sort_by_key(|(group, _)| *group);
        assert_eq!(found, expected);
    }

    #[test]
    fn no_rows_make_no_file() {
        assert!(files(&[], 1).is_empty());
        assert!(files(&[batch(vec![], vec![])], 1).is_empty());
    }

    #[test]
    fn a_cut_file_is_refused() {
        let encoded = &files(&[batch(vec![1], vec![Some("a")])], 1)[0];
        assert!(decode(&encoded.bytes[..encoded.bytes.len() / 2]).is_err());
    }
}
