//! Batches as Tidemill hands them over; `src/functions/ABI.md` describes them. Copy this file into a crate of yours, it
//! is all that is needed. Nothing is ever freed: each batch gets a fresh copy of the module.

use std::alloc::{Layout, alloc};

#[repr(C)]
pub struct Column {
    valid: *const u8,
    offsets: *const u32,
    values: *const u8,
}

/// A batch, with its columns behind it.
#[repr(C)]
pub struct Batch {
    pub rows: u32,
    of: *const u32,
}

/// Memory for arguments.
#[unsafe(no_mangle)]
pub extern "C" fn tidemill_alloc(bytes: usize) -> *mut u8 {
    // An empty layout must not be asked for.
    match Layout::from_size_align(bytes.max(1), 8) {
        Ok(layout) => unsafe { alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

impl Batch {
    /// The argument with this number, from 0.
    pub fn column(&self, number: usize) -> &Column {
        // Columns stand directly behind the batch, and the host gives as many as the signature says.
        unsafe { &*(self as *const Self).add(1).cast::<Column>().add(number) }
    }
}

impl Column {
    pub fn is_null(&self, row: usize) -> bool {
        !self.valid.is_null() && unsafe { *self.valid.add(row) } == 0
    }

    /// The value of a STRING column; none for NULL.
    pub fn text(&self, row: usize) -> Option<&str> {
        let bytes = self.bytes(row)?;
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    /// The value of a BYTES column; none for NULL.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        if self.is_null(row) {
            return None;
        }
        let (begin, end) = unsafe { (*self.offsets.add(row) as usize, *self.offsets.add(row + 1) as usize) };
        Some(unsafe { std::slice::from_raw_parts(self.values.add(begin), end - begin) })
    }

    /// The value of a column of numbers: `i32` for INT, `i64` for BIGINT and TIMESTAMP, `f64` for DOUBLE, `u8` for
    /// BOOLEAN; none for NULL.
    pub fn number<T: Copy>(&self, row: usize) -> Option<T> {
        if self.is_null(row) { None } else { Some(unsafe { *self.values.cast::<T>().add(row) }) }
    }

    /// A result column of numbers; NULLs need a value, which is not read.
    pub fn of_numbers<T: Copy + Default>(values: impl Iterator<Item = Option<T>>) -> Self {
        let (valid, values): (Vec<u8>, Vec<T>) =
            values.map(|value| (u8::from(value.is_some()), value.unwrap_or_default())).unzip();
        Self { valid: valid.leak().as_ptr(), offsets: std::ptr::null(), values: values.leak().as_ptr().cast() }
    }

    /// A result column of STRING.
    pub fn of_texts<S: AsRef<str>>(texts: impl Iterator<Item = Option<S>>) -> Self {
        let (mut valid, mut offsets, mut values) = (Vec::new(), vec![0], Vec::new());
        for text in texts {
            valid.push(u8::from(text.is_some()));
            values.extend(text.iter().flat_map(|text| text.as_ref().as_bytes()));
            offsets.push(values.len() as u32);
        }
        Self { valid: valid.leak().as_ptr(), offsets: offsets.leak().as_ptr(), values: values.leak().as_ptr() }
    }
}

/// The result of a scalar function.
pub fn value(rows: u32, column: Column) -> *const Batch {
    table(rows, std::ptr::null(), [column])
}

/// The result of a table function: `of` has for each row the number of the argument row that it belongs to.
pub fn rows<const N: usize>(of: Vec<u32>, columns: [Column; N]) -> *const Batch {
    table(of.len() as u32, of.leak().as_ptr(), columns)
}

fn table<const N: usize>(rows: u32, of: *const u32, columns: [Column; N]) -> *const Batch {
    #[repr(C)]
    struct Whole<const N: usize>(Batch, [Column; N]);
    (Box::leak(Box::new(Whole(Batch { rows, of }, columns))) as *const Whole<N>).cast()
}
