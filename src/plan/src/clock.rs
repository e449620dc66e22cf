//! The machine's time as expressions see it. It stands still while a thread handles an epoch, so that a row that is put
//! out and taken back within one says the same, whatever the size of its batches. And event time, as far as it has come
//! where an expression is evaluated.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static EPOCH: Cell<Option<i64>> = const { Cell::new(None) };
    static WATERMARK: Cell<Option<i64>> = const { Cell::new(None) };
}

/// What [`now_ms`] says on this thread from now on.
pub fn set_now_ms(now_ms: i64) {
    EPOCH.set(Some(now_ms));
}

/// Milliseconds since 1970: as set, or else what the machine says.
pub fn now_ms() -> i64 {
    EPOCH.get().unwrap_or_else(|| {
        // A clock before 1970 is a broken clock; time then stands still rather than failing every record.
        let passed = SystemTime::now().duration_since(UNIX_EPOCH);
        passed.map_or(0, |passed| i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
    })
}

/// What [`watermark`] says on this thread from now on: said by the operator before it evaluates anything.
pub fn set_watermark(watermark: Option<i64>) {
    WATERMARK.set(watermark);
}

/// The watermark of the operator at work, milliseconds since 1970; none before the first has come.
pub fn watermark() -> Option<i64> {
    WATERMARK.get()
}
