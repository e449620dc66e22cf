//! Dates and times as text: reading and writing them a digit at a time, without allocation.
//!
//! Flink's SQL form is `2026-01-02 03:04:05.678`, its ISO-8601 form `2026-01-02T03:04:05.678`; a TIMESTAMP_LTZ has a
//! `Z` at its end in both. Reading takes either form; the kind of timestamp is checked, because a zone that is dropped
//! or invented moves a record to another window.

const DAY_SECONDS: i64 = 86_400;

/// Whether a text names an instant (it ends with `Z` or an offset) or a time on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    Absent,
    /// Seconds east of UTC.
    Offset(i64),
}

/// A date and time as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970, as if the text were UTC.
    pub seconds: i64,
    pub nanoseconds: u32,
    pub zone: Zone,
}

/// `2026-01-02 03:04:05[.6…][Z|±hh:mm]`, with a space or a `T` in the middle; seconds may be left out as in Flink.
pub fn parse_date_time(text: &[u8]) -> Option<DateTime> {
    if text.len() < 16 || !matches!(text[10], b' ' | b'T') {
        return None;
    }
    let days = parse_date(&text[..10])?;
    let (clock, zone) = split_zone(&text[11..])?;
    let (seconds, nanoseconds) = parse_time(clock)?;
    Some(DateTime { seconds: i64::from(days) * DAY_SECONDS + seconds, nanoseconds, zone })
}

/// `2026-01-02`, as days since 1970.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two(&text[..2])? * 100 + two(&text[2..4])?;
    let (month, day) = (two(&text[5..7])?, two(&text[8..10])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// `03:04[:05[.6…]]`, as seconds and nanoseconds since midnight.
pub fn parse_time(text: &[u8]) -> Option<(i64, u32)> {
    if text.len() < 5 || text[2] != b':' {
        return None;
    }
    let (hour, minute) = (two(&text[..2])?, two(&text[3..5])?);
    let (second, nanoseconds) = match &text[5..] {
        [] => (0, 0),
        [b':', rest @ ..] if rest.len() >= 2 => (two(&rest[..2])?, parse_fraction(&rest[2..])?),
        _ => return None,
    };
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then(|| (i64::from(hour * 3600 + minute * 60 + second), nanoseconds))
}

fn parse_fraction(text: &[u8]) -> Option<u32> {
    let digits = match text {
        [] => return Some(0),
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut value = 0;
    for digit in digits {
        value = value * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(value * 10u32.pow(9 - digits.len() as u32))
}

fn split_zone(text: &[u8]) -> Option<(&[u8], Zone)> {
    if let [clock @ .., b'Z'] = text {
        return Some((clock, Zone::Offset(0)));
    }
    let length = text.len();
    if length > 6 && matches!(text[length - 6], b'+' | b'-') && text[length - 3] == b':' {
        let seconds = i64::from(two(&text[length - 5..length - 3])? * 3600 + two(&text[length - 2..])? * 60);
        let signed = if text[length - 6] == b'-' { -seconds } else { seconds };
        return Some((&text[..length - 6], Zone::Offset(signed)));
    }
    Some((text, Zone::Absent))
}

fn two(text: &[u8]) -> Option<i32> {
    let (tens, ones) = (text[0].wrapping_sub(b'0'), text[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date in the Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of days since 1970.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-01-02`.
pub fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        write_two(out, (year / 100) as u32);
        write_two(out, (year % 100) as u32);
    } else {
        out.extend_from_slice(format!("{year:+05}").as_bytes());
    }
    out.push(b'-');
    write_two(out, month);
    out.push(b'-');
    write_two(out, day);
}

/// `03:04:05`.
pub fn write_clock(out: &mut Vec<u8>, seconds_of_day: u32) {
    write_two(out, seconds_of_day / 3600);
    out.push(b':');
    write_two(out, seconds_of_day / 60 % 60);
    out.push(b':');
    write_two(out, seconds_of_day % 60);
}

/// `2026-01-02 03:04:05`, with `separator` in the middle. Fractions are the caller's.
pub fn write_date_time(out: &mut Vec<u8>, seconds: i64, separator: u8) {
    write_date(out, seconds.div_euclid(DAY_SECONDS));
    out.push(separator);
    write_clock(out, seconds.rem_euclid(DAY_SECONDS) as u32);
}

/// `.678`: as many digits as needed, none for a whole second.
pub fn write_fraction(out: &mut Vec<u8>, nanoseconds: u32) {
    if nanoseconds == 0 {
        return;
    }
    let (mut rest, mut digits) = (nanoseconds, [b'.'; 10]);
    for place in (1..10).rev() {
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let length = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(&digits[..length]);
}

fn write_two(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(i64, u32, Zone)> {
        parse_date_time(text.as_bytes()).map(|t| (t.seconds, t.nanoseconds, t.zone))
    }

    #[test]
    fn both_forms_are_read() {
        let expected = Some((1_767_323_045, 678_000_000, Zone::Absent));
        assert_eq!(parsed("2026-01-02 03:04:05.678"), expected);
        assert_eq!(parsed("2026-01-02T03:04:05.678"), expected);
        assert_eq!(parsed("2026-01-02 03:04:05"), Some((1_767_323_045, 0, Zone::Absent)));
        assert_eq!(parsed("2026-01-02 03:04"), Some((1_767_323_040, 0, Zone::Absent)));
        assert_eq!(parsed("2026-01-02T03:04:05Z"), Some((1_767_323_045, 0, Zone::Offset(0))));
        assert_eq!(parsed("2026-01-02T03:04:05.5-02:30"), Some((1_767_323_045, 500_000_000, Zone::Offset(-9000))));
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in [
            "",
            "2026-01-02",
            "2026-13-02 03:04:05",
            "2026-02-29 03:04:05",
            "2026-01-02 24:00:00",
            "2026-01-02 03:60:05",
            "2026-01-02 03:04:05.",
            "2026-01-02 03:04:05.1234567890",
            "2026-01-02 03:04:05 ",
            "2026-01-02_03:04:05",
            "2026-01-02 03:04:5",
            "2026-1-02 03:04:05",
            "2026-01-02 03:04:05.6x",
            "1767323045678901",
            "2026-01-02 03:04:05+0100",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        for days in -150_000..150_000 {
            let mut text = Vec::new();
            write_date(&mut text, i64::from(days));
            assert_eq!(parse_date(&text), Some(days), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn fractions_have_only_the_digits_they_need() {
        for (nanoseconds, text) in [(0, ""), (678_000_000, ".678"), (600_000_000, ".6"), (1, ".000000001")] {
            let mut out = Vec::new();
            write_fraction(&mut out, nanoseconds);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
