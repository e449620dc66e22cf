//! What a call may use. Functions are written by whoever may write an Application and run on threads that others wait
//! for, so everything has a bound. `ABI.md` of `tidemill-functions` tells these to users.

/// Memory of an instance, in bytes.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Stack of WebAssembly code, in bytes. Engine threads have 2 MiB.
pub const STACK_BYTES: usize = 256 * 1024;

/// Entries of all tables of an instance: what functions can be called indirectly.
pub const TABLE_ELEMENTS: usize = 100_000;

/// Rows that are handed over in one call.
pub const CALL_ROWS: usize = 8192;

/// Bytes of arguments that are handed over in one call, unless a single row has more.
pub const CALL_BYTES: usize = 16 * 1024 * 1024;

/// Instructions, about, that a call of so many rows may execute: about 0.1 s, and 0.1 ms for each row.
pub fn fuel(rows: usize) -> u64 {
    100_000_000 + 100_000 * rows as u64
}
