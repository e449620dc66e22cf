//! Staged output: key and value of each record, one after the other, in bytes that can be stored and read back.
//!
//! A frame is the key's length (`u32`, little-endian, [`NONE`] for none), the value's likewise, key, value. A chunk is
//! whole frames. Chunks outlive the process that wrote them, so this layout must never change without a new version.
//!
//! What stands beside a record ([`Beside`]) comes before its frame, if there is any: [`BESIDE`] in the place of a key's
//! length, the time (`i64`, its least for none), the number of headers (`u32`), and of each the length of its name, that
//! of its value, name, value.

/// Stands in place of the length of a key or value where there is none.
const NONE: u32 = u32::MAX;
/// Stands in place of the length of a key that does not come yet.
const BESIDE: u32 = u32::MAX - 1;
const NO_TIME: i64 = i64::MIN;
const HEADER: usize = 8;

/// One record of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub beside: Beside,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// What a record has beside its key and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Milliseconds since 1970; none for when it is sent.
    pub timestamp_ms: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Beside {
    pub fn is_empty(&self) -> bool {
        self.timestamp_ms.is_none() && self.headers.is_empty()
    }
}

/// Appends what the record has beside it that is appended next.
pub fn append_beside(chunk: &mut Vec<u8>, beside: &Beside) {
    if beside.is_empty() {
        return;
    }
    chunk.extend_from_slice(&BESIDE.to_le_bytes());
    chunk.extend_from_slice(&beside.timestamp_ms.unwrap_or(NO_TIME).to_le_bytes());
    chunk.extend_from_slice(&(beside.headers.len() as u32).to_le_bytes());
    for (name, value) in &beside.headers {
        let length = value.as_ref().map_or(NONE, |value| value.len() as u32);
        chunk.extend_from_slice(&(name.len() as u32).to_le_bytes());
        chunk.extend_from_slice(&length.to_le_bytes());
        chunk.extend_from_slice(name.as_bytes());
        chunk.extend_from_slice(value.as_deref().unwrap_or_default());
    }
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
    let mut beside = Beside::default();
    let mut key_length = length(rest)?;
    if key_length == BESIDE {
        beside = split_beside(rest)?;
        key_length = length(rest)?;
    }
    let value_length = length(rest)?;
    Some(Frame { beside, key: part(rest, key_length)?, value: part(rest, value_length)? })
}

fn split_beside(rest: &mut &[u8]) -> Option<Beside> {
    let time = i64::from_le_bytes(rest.split_off(..8)?.try_into().ok()?);
    let mut beside = Beside { timestamp_ms: (time != NO_TIME).then_some(time), headers: Vec::new() };
    for _ in 0..length(rest)? {
        let (name_length, value_length) = (length(rest)?, length(rest)?);
        let name = String::from_utf8(part(rest, name_length)??.to_vec()).ok()?;
        beside.headers.push((name, part(rest, value_length)?.map(<[u8]>::to_vec)));
    }
    Some(beside)
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
        let frame = |(k, v): &(Option<&'static str>, Option<&'static str>)| Frame {
            beside: Beside::default(),
            key: k.map(str::as_bytes),
            value: v.map(str::as_bytes),
        };
        assert_eq!(read, records.iter().map(frame).collect::<Vec<_>>());
    }

    fn besides() -> Vec<Beside> {
        let headers =
            vec![("a".to_string(), Some(b"1".to_vec())), (String::new(), None), ("a".to_string(), Some(vec![]))];
        vec![
            Beside { timestamp_ms: Some(-1), headers: headers.clone() },
            Beside::default(),
            Beside { timestamp_ms: None, headers },
            Beside { timestamp_ms: Some(0), headers: Vec::new() },
        ]
    }

    fn with_besides() -> Vec<u8> {
        let mut chunk = Vec::new();
        for beside in besides() {
            append_beside(&mut chunk, &beside);
            let write = |out: &mut Vec<u8>| out.extend_from_slice(b"k");
            append(&mut chunk, Some(write), Some(write));
        }
        chunk
    }

    #[test]
    fn what_stands_beside_a_record_comes_back_with_it() {
        let chunk = with_besides();
        let read: Vec<Beside> = read(&chunk).map(|frame| frame.unwrap().beside).collect();
        assert_eq!(read, besides());
    }

    #[test]
    fn a_chunk_that_is_cut_off_is_damaged_at_every_length_but_its_own() {
        let mut one = Vec::new();
        append_beside(&mut one, &besides()[0]);
        one.extend(chunk(&[(Some("key"), Some("value"))]));
        for chunk in [chunk(&[(Some("key"), Some("value"))]), one] {
            for length in 1..chunk.len() {
                assert!(read(&chunk[..length]).any(|frame| frame.is_err()), "cut at {length}");
            }
        }
    }
}
