//! What the kinds of rows share: ranges of row numbers, random bits that depend on a row's number alone, and columns of
//! text that are filled quickly.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;

/// A kind of rows with its options: what a table is made of.
pub trait RowKind: Send + Sync {
    /// Its rows, with row 0 at this event time in milliseconds since 1970.
    fn starting(&self, start_ms: i64) -> Box<dyn Rows>;
}

/// Makes rows as columns, each a pure function of its number.
pub trait Rows: Send {
    fn batch(&self, schema: &SchemaRef, rows: RowRange) -> Result<RecordBatch, ArrowError>;
}

/// Rows `first`, `first + step` and so on, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRange {
    pub first: u64,
    pub step: u64,
    pub count: usize,
}

impl RowRange {
    pub fn each(self) -> impl ExactSizeIterator<Item = u64> {
        (0..self.count).map(move |nth| self.first + nth as u64 * self.step)
    }
}

pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads 64 bits over 64 bits; every input has another output (the finaliser of SplitMix64).
#[inline(always)]
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// `bits`, a number of `width` bits, brought down to less than `limit`.
#[inline(always)]
pub fn scale(bits: u64, width: u32, limit: u64) -> u64 {
    ((u128::from(bits) * u128::from(limit)) >> width) as u64
}

/// A text of a pool, padded: a copy of fixed length is two instructions, one of varying length a call.
#[derive(Clone, Copy)]
pub struct Text<const MOST: usize> {
    padded: [u8; MOST],
    length: usize,
}

impl<const MOST: usize> Text<MOST> {
    pub fn new(text: &str) -> Self {
        let mut padded = [0; MOST];
        padded[..text.len()].copy_from_slice(text.as_bytes());
        Self { padded, length: text.len() }
    }
}

/// What padded copies may write beyond the end.
const ROOM: usize = 128;

/// A column of text being filled.
pub struct TextColumn {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl TextColumn {
    /// Room for so many rows with so many bytes in all.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(bytes + ROOM), offsets }
    }

    #[inline(always)]
    pub fn push<const MOST: usize>(&mut self, text: &Text<MOST>) {
        self.push_padded(&text.padded, text.length);
    }

    /// The first `length` bytes of `padded`, which must be ASCII.
    #[inline(always)]
    pub fn push_padded<const MOST: usize>(&mut self, padded: &[u8; MOST], length: usize) {
        let end = self.bytes.len() + length;
        self.bytes.extend_from_slice(padded);
        self.bytes.truncate(end);
        self.offsets.push(end as i32);
    }

    /// Bytes that must be ASCII.
    #[inline(always)]
    pub fn push_ascii(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
    }

    pub fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let is_ascii = self.bytes.is_ascii();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let bytes = Buffer::from_vec(self.bytes);
        if !is_ascii {
            return Ok(Arc::new(StringArray::try_new(offsets, bytes, nulls)?));
        }
        // SAFETY: ASCII is UTF-8 that can be cut anywhere; `push_*` put one offset for each text, within the bytes.
        // The general check asks at each offset whether a character begins there, a tenth of what a row costs.
        Ok(Arc::new(unsafe { StringArray::new_unchecked(offsets, bytes, nulls) }))
    }
}
