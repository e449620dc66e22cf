//! Values as they are written, read as Flink's CAST reads them.

use super::calendar::{days_in_month, millis_of};

const DAY_MS: i64 = 86_400_000;

/// White space around it does not matter; digits behind a point are cut off.
pub(super) fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = signed(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || digits.is_empty() || digits == "." {
        return None;
    }
    if whole.is_empty() { Some(0) } else { format!("{sign}{whole}").parse().ok() }
}

fn signed(text: &str) -> (&str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

/// As Java reads it: a letter for the type may stand behind it.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, unsigned) = signed(text);
    let value = match unsigned {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let number = unsigned.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(unsigned);
            let begins = number.starts_with(|first: char| first.is_ascii_digit() || first == '.');
            begins.then(|| number.parse::<f64>().ok()).flatten()?
        }
    };
    Some(if sign == "-" { -value } else { value })
}

/// Without white space.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Rounded half up to the scale; none if it has more digits than there may be.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (number, from) = parsed_decimal(text.trim())?;
    let shift = i64::from(scale) - from;
    match u32::try_from(shift.unsigned_abs()).ok().and_then(|shift| 10i128.checked_pow(shift)) {
        _ if number == 0 => Some(0),
        Some(unit) if shift >= 0 => {
            number.checked_mul(unit).filter(|scaled| scaled.unsigned_abs() < 10u128.pow(precision.into()))
        }
        Some(_) => super::casts::rescaled(number, i8::try_from(from).ok()?, scale, precision),
        None => {
            if shift >= 0 {
                None
            } else {
                Some(0)
            }
        }
    }
}

/// A number's digits as a whole number, and how many of them stand behind the point (before it, if negative).
pub(super) fn parsed_decimal(text: &str) -> Option<(i128, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = signed(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits that no DECIMAL can have any more only matter for rounding, which the first of them decides.
    let kept = all.trim_start_matches('0');
    let cut = kept.len().saturating_sub(38);
    let behind = i64::try_from(fraction.len()).ok()? - exponent - i64::try_from(cut).ok()?;
    let kept = &kept[..kept.len() - cut];
    let number = if kept.is_empty() { 0 } else { format!("{sign}{kept}").parse().ok()? };
    Some((number, behind))
}

/// `y[-M[-d]]`; a time behind a space does not matter. Days since 1970.
pub fn date(text: &str) -> Option<i32> {
    let text = text.trim();
    let day = text.split_once(' ').map_or(text, |(day, _)| day);
    let mut parts = day.split('-').map(number);
    let year = parts.next()??;
    let (month, day) = (parts.next().unwrap_or(Some(1))?, parts.next().unwrap_or(Some(1))?);
    if parts.next().is_some() {
        return None;
    }
    millis_of((year, month, day), (0, 0, 0, 0)).map(|millis| (millis / DAY_MS) as i32)
}

/// `H[:m[:s[.fraction]]]`. Milliseconds of the day.
pub fn time(text: &str) -> Option<i32> {
    let (clock, fraction) = clock_and_fraction(text.trim())?;
    let mut parts = clock.split(':').map(number);
    let hour = parts.next()??;
    let (minute, second) = (parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() {
        return None;
    }
    millis_of((1970, 1, 1), (hour, minute, second, fraction)).map(|millis| millis as i32)
}

/// `y-M-d[ H:m:s[.fraction]]`, without white space around it. A day that a month does not have is its last one, and hour
/// 24 the next day's first, as Java has it. Milliseconds since 1970.
pub fn timestamp(text: &str) -> Option<i64> {
    let (day, clock) = text.split_once(' ').map_or((text, None), |(day, clock)| (day, Some(clock)));
    let mut parts = day.split('-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let day = day.min(days_in_month(year, month));
    let Some(clock) = clock else { return millis_of((year, month, day), (0, 0, 0, 0)) };
    let (clock, milli) = clock_and_fraction(clock)?;
    let mut parts = clock.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    if (hour, minute, second, milli) == (24, 0, 0, 0) {
        return millis_of((year, month, day), (0, 0, 0, 0)).map(|millis| millis + DAY_MS);
    }
    millis_of((year, month, day), (hour, minute, second, milli))
}

fn number(digits: &str) -> Option<i64> {
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// A time of day, and the milliseconds that its fraction has.
fn clock_and_fraction(text: &str) -> Option<(&str, i64)> {
    let Some((clock, fraction)) = text.split_once('.') else { return Some((text, 0)) };
    let plain = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("{fraction:0<3}")[..3].parse().ok()).flatten().map(|millis| (clock, millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_cut_at_the_point() {
        for (text, expected) in [
            (" 12 ", Some(12)),
            ("+5", Some(5)),
            ("-1.9", Some(-1)),
            ("1.", Some(1)),
            (".5", Some(0)),
            ("", None),
            ("1.x", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn doubles_are_written_as_in_java() {
        for (text, expected) in [
            (" 1.5 ", Some(1.5)),
            ("1e3", Some(1000.0)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("1.5d", Some(1.5)),
            ("inf", None),
            ("0x10", None),
            ("", None),
        ] {
            assert_eq!(double(text), expected, "{text}");
        }
        assert!(double("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn decimals_are_rounded_and_may_have_exponents() {
        for (text, expected) in [
            ("1.234", Some(123)),
            ("1.235", Some(124)),
            ("1e2", Some(10_000)),
            (" 1.5 ", Some(150)),
            ("12345.67", None),
            ("abc", None),
            ("1e-40", Some(0)),
            ("", None),
        ] {
            assert_eq!(decimal(text, 5, 2), expected, "{text}");
        }
        assert_eq!(decimal("0.1234567890123456789012345678901234567890123", 10, 4), Some(1235));
    }

    #[test]
    fn truths_have_no_space() {
        assert_eq!(
            ["TRUE", "T", "Yes", "0", " true", "on", "2"].map(boolean)[..4],
            [Some(true), Some(true), Some(true), Some(false)]
        );
        assert_eq!([" true", "on", "2"].map(boolean), [None; 3]);
    }

    #[test]
    fn dates_may_be_short_and_times_too() {
        assert_eq!(date("1970-1-2"), Some(1));
        assert_eq!(date("1970-01-02 10:00:00"), Some(1));
        assert_eq!(date(" 1971 "), Some(365));
        for text in ["1970-02-30", "1970-13-01", "19700102", "-1970-01-01", "1970-01-02T10:00", "1970-01-02x", ""] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(time("1:2:3"), Some(3_723_000));
        assert_eq!(time("10"), Some(36_000_000));
        assert_eq!(time("00:00:00.5"), Some(500));
        assert_eq!(["25:00:00", "x", "1:2:3:4"].map(time), [None; 3]);
    }

    #[test]
    fn timestamps_are_read_as_java_reads_them() {
        let day = 86_400_000;
        for (text, expected) in [
            ("1970-01-02", Some(day)),
            ("1970-1-2 0:0:1", Some(day + 1000)),
            ("1970-01-02 00:00:00.123456789", Some(day + 123)),
            ("1970-01-01 24:00:00", Some(day)),
            ("1970-02-30 00:00:00", Some(58 * day)),
            ("1970-01-02 00:00", None),
            ("1970-01-02T00:00:00", None),
            (" 1970-01-02 00:00:00 ", None),
            ("1970-01-02 00:00:00Z", None),
            ("1970-02-32 00:00:00", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
    }
}
