//! Staged output: key and value of each record, one after the other, in bytes that can be stored and read back.
//!
//! A frame is the key's length (`u32`, little-endian, [`NONE`] for none), the value's likewise, key, value. A chunk is
//! whole frames. Chunks outlive the process that wrote them, so this layout must never change without a new version.

/// Stands in place of the length of a key or value where there is none.
const NONE: u32 = u32::MAX;
const HEADER: usize = 8;

/// One record of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Appends a record whose parts are written by the closures, without a copy in between.
pub fn append(chunk: &mut Vec<u8>, key: Option<impl FnOnce(&mut Vec<u8>)>, value: Option<impl FnOnce(&mut Vec<u8>)>) {
    let start = chunk.len();
    chunk.extend_from_slice(&[0; HEADER]);
    let key_length = key.map(|write| {
        write(chunk);
        (chunk.len() - start - HEADER) as u32
    });
    let value_start = chunk.len();
    let value_length = value.map(|write| {
        write(chunk);
        (chunk.len() - value_start) as u32
    });
    chunk[start..start + 4].copy_from_slice(&key_length.unwrap_or(NONE).to_le_bytes());
    chunk[start + 4..start + HEADER].copy_from_slice(&value_length.unwrap_or(NONE).to_le_bytes());
}

/// The records of a chunk. An error means that the chunk is damaged: it ends within a record.
pub fn read(chunk: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, Damaged>> {
    let mut rest = chunk;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = split(&mut rest).ok_or(Damaged);
        if frame.is_err() {
            rest = &[];
        }
        Some(frame)
    })
}

/// A chunk ends within a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

fn split<'a>(rest: &mut &'a [u8]) -> Option<Frame<'a>> {
    let key_length = length(rest)?;
    let value_length = length(rest)?;
    Some(Frame { key: part(rest, key_length)?, value: part(rest, value_length)? })
}

/// The bytes of a key or value, if there is one.
fn part<'a>(rest: &mut &'a [u8], length: u32) -> Option<Option<&'a [u8]>> {
    match length {
        NONE => Some(None),
        length => rest.split_off(..length as usize).map(Some),
    }
}

fn length(rest: &mut &[u8]) -> Option<u32> {
    let bytes = rest.split_off(..4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Written = [(Option<&'static str>, Option<&'static str>)];

    fn chunk(records: &Written) -> Vec<u8> {
        let write = |text: &'static str| move |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        let mut chunk = Vec::new();
        records.iter().for_each(|(key, value)| append(&mut chunk, key.map(write), value.map(write)));
        chunk
    }

    #[test]
    fn records_come_back_as_they_were_written() {
        let records = [(None, Some("one")), (Some("k"), Some("")), (Some(""), Some("three")), (Some("k"), None)];
        let chunk = chunk(&records);
        let read: Vec<_> = read(&chunk).map(Result::unwrap).collect();
        let expected: Vec<_> =
            records.iter().map(|(k, v)| Frame { key: k.map(str::as_bytes), value: v.map(str::as_bytes) }).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_chunk_that_is_cut_off_is_damaged_at_every_length_but_its_own() {
        let chunk = chunk(&[(Some("key"), Some("value"))]);
        for length in 1..chunk.len() {
            assert!(read(&chunk[..length]).any(|frame| frame.is_err()), "cut at {length}");
        }
    }
}
