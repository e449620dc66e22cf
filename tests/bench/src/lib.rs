//! What the benchmark's two programs share: the seeded page views and this process's CPU time. Rows depend on the
//! seed and their number alone, so that a topic can be loaded again and be the same.

use std::fmt::Write;

/// Milliseconds since 1970 of the first row: 2026-01-01 00:00:00.
const FIRST_VIEW_MS: u64 = 1_767_225_600_000;
/// Rows per millisecond of event time: 5 million rows span 500 s, fifty windows of ten seconds.
const ROWS_PER_MS: u64 = 10;
const PAGES: u64 = 1_000;
const USERS: u64 = 1_000_000;
const LONGEST_VIEW_MS: u64 = 60_000;
const REFERRERS: [&str; 8] = [
    "https://search.example/",
    "https://news.example/today",
    "https://social.example/feed",
    "https://mail.example/inbox",
    "https://ads.example/spring",
    "https://shop.example/basket",
    "https://blog.example/latest",
    "https://www.example/",
];

/// Appends row `number` as JSON, 125 to 140 bytes.
pub fn write_page_view(number: u64, seed: u64, out: &mut String) {
    let bits = mix(seed ^ number);
    let more = mix(bits);
    let (hour, minute, second, milli) = clock(FIRST_VIEW_MS + number / ROWS_PER_MS);
    let day = 1 + (number / ROWS_PER_MS) / 86_400_000;
    write!(
        out,
        r#"{{"page":"/products/{:04}","user_id":{},"viewed_at":"2026-01-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}","referrer":"{}","duration_ms":{}}}"#,
        popular(bits),
        (bits >> 32) % USERS,
        REFERRERS[(more & 7) as usize],
        (more >> 32) % LONGEST_VIEW_MS,
    )
    .expect("writing to a string cannot fail");
}

/// A page; low numbers come more often: the lesser of two draws.
fn popular(bits: u64) -> u64 {
    (((bits & 0xffff) * PAGES) >> 16).min((((bits >> 16) & 0xffff) * PAGES) >> 16)
}

/// The time of day.
fn clock(ms: u64) -> (u64, u64, u64, u64) {
    let day_ms = ms % 86_400_000;
    (day_ms / 3_600_000, day_ms / 60_000 % 60, day_ms / 1_000 % 60, day_ms % 1_000)
}

/// A bijection of 64 bits that scatters well (the finaliser of SplitMix64).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// CPU seconds of this process so far, user and system.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_depends_on_seed_and_number_alone() {
        let row = |number, seed| {
            let mut out = String::new();
            write_page_view(number, seed, &mut out);
            out
        };
        assert_eq!(row(41, 7), row(41, 7));
        assert_ne!(row(41, 7), row(41, 8));
        assert!(row(600_000, 7).contains(r#""viewed_at":"2026-01-01 00:01:00.000""#));
        assert!((120..=145).contains(&row(123_456, 7).len()), "{}", row(123_456, 7));
    }
}
