//! Date patterns in Java's letters, such as `yyyy-MM-dd HH:mm:ss.SSS`, for writing and reading. Names are English, as
//! Flink's are where nothing else is set. Letters whose meaning depends on a zone or on weeks are refused.

use std::fmt::Write;
use std::str::FromStr;

use super::calendar::{Moment, millis_of};

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    /// A letter and how often it stands.
    Number(Letter, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Year,
    /// Two digits, of this century when read.
    ShortYear,
    Quarter,
    Month,
    /// With three letters, or whole.
    MonthName,
    Day,
    /// With three letters, or whole.
    DayName,
    DayOfYear,
    /// From 0 to 23.
    Hour,
    /// From 1 to 24.
    ClockHour,
    /// From 0 to 11.
    HalfHour,
    /// From 1 to 12.
    ClockHalfHour,
    /// AM or PM.
    Half,
    Minute,
    Second,
    Fraction,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl FromStr for Pattern {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let (part, length) = match first {
                '\'' => quoted(rest).ok_or(format!("the date pattern `{pattern}` has an open quote"))?,
                'a'..='z' | 'A'..='Z' => {
                    let count = rest.chars().take_while(|letter| *letter == first).count();
                    (numbered(pattern, first, count)?, count)
                }
                '[' | ']' | '{' | '}' | '#' => return Err(unsupported(pattern, first)),
                other => (Part::Plain(other.to_string()), other.len_utf8()),
            };
            parts.push(part);
            rest = &rest[length..];
        }
        Ok(Self(parts))
    }
}

/// The quoted text at the start and its length with quotes; two quotes stand for one, inside and alone.
fn quoted(rest: &str) -> Option<(Part, usize)> {
    if rest.starts_with("''") {
        return Some((Part::Plain("'".to_string()), 2));
    }
    let mut end = 1;
    loop {
        end += rest[end..].find('\'')?;
        if !rest[end + 1..].starts_with('\'') {
            return Some((Part::Plain(rest[1..end].replace("''", "'")), end + 1));
        }
        end += 2;
    }
}

fn numbered(pattern: &str, letter: char, count: usize) -> Result<Part, String> {
    let known = match (letter, count) {
        ('y' | 'u', 4) => Letter::Year,
        ('y' | 'u', 2) => Letter::ShortYear,
        ('Q', 1 | 2) => Letter::Quarter,
        ('M' | 'L', 1 | 2) => Letter::Month,
        ('M' | 'L', 3 | 4) => Letter::MonthName,
        ('d', 1 | 2) => Letter::Day,
        ('E', 1..=4) => Letter::DayName,
        ('D', 1..=3) => Letter::DayOfYear,
        ('H', 1 | 2) => Letter::Hour,
        ('k', 1 | 2) => Letter::ClockHour,
        ('K', 1 | 2) => Letter::HalfHour,
        ('h', 1 | 2) => Letter::ClockHalfHour,
        ('a', 1) => Letter::Half,
        ('m', 1 | 2) => Letter::Minute,
        ('s', 1 | 2) => Letter::Second,
        ('S', 1..=9) => Letter::Fraction,
        _ => return Err(unsupported(pattern, letter)),
    };
    Ok(Part::Number(known, count))
}

fn unsupported(pattern: &str, letter: char) -> String {
    format!(
        "the date pattern `{pattern}` uses `{letter}` in a way that is not supported; known are yyyy yy Q MM MMM MMMM dd EEE EEEE DDD HH kk KK hh a mm ss SSS"
    )
}

impl Pattern {
    pub(super) fn write(&self, millis: i64, out: &mut String) {
        let moment = Moment::of_millis(millis);
        for part in &self.0 {
            let _ = match part {
                Part::Plain(text) => out.write_str(text),
                Part::Number(Letter::Fraction, count) => {
                    write!(out, "{}", &format!("{:03}000000", moment.milli)[..*count])
                }
                Part::Number(Letter::MonthName, count) => {
                    out.write_str(named(MONTHS[moment.month as usize - 1], *count))
                }
                Part::Number(Letter::DayName, count) => {
                    out.write_str(named(DAYS[moment.iso_day_of_week() as usize - 1], *count))
                }
                Part::Number(Letter::Half, _) => out.write_str(if moment.hour < 12 { "AM" } else { "PM" }),
                Part::Number(letter, count) => write!(out, "{:0count$}", letter.of(moment)),
            };
        }
    }

    /// None if the text does not follow the pattern or names no real time.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        self.read_front(text).and_then(|(millis, rest)| rest.is_empty().then_some(millis))
    }

    /// The time that a text begins with, and what is behind it.
    fn read_front<'a>(&self, text: &'a str) -> Option<(i64, &'a str)> {
        let (mut date, mut time) = ((1970, 1, 1), (0, 0, 0, 0));
        let mut half = None;
        let mut rest = text;
        for part in &self.0 {
            let (letter, count) = match part {
                Part::Plain(plain) => {
                    rest = rest.strip_prefix(plain.as_str())?;
                    continue;
                }
                Part::Number(letter, count) => (letter, *count),
            };
            let (value, after) = match letter {
                Letter::MonthName => one_of(MONTHS.map(|name| named(name, count)), rest)?,
                Letter::Half => one_of(["AM", "PM"], rest)?,
                _ => digits(rest, count)?,
            };
            rest = after;
            match letter {
                Letter::Year => date.0 = value,
                Letter::ShortYear => date.0 = 2000 + value,
                Letter::Month => date.1 = value,
                Letter::MonthName => date.1 = value + 1,
                Letter::Day => date.2 = value,
                Letter::Hour => time.0 = value,
                Letter::ClockHalfHour => time.0 = Some(value).filter(|hour| (1..=12).contains(hour))? % 12,
                Letter::Half => half = Some(value),
                Letter::Minute => time.1 = value,
                Letter::Second => time.2 = value,
                Letter::Fraction => time.3 = value * 1000 / 10_i64.pow(count as u32),
                Letter::Quarter | Letter::DayName | Letter::DayOfYear | Letter::ClockHour | Letter::HalfHour => {
                    return None;
                }
            }
        }
        time.0 += 12 * half.unwrap_or(0);
        millis_of(date, time).map(|millis| (millis, rest))
    }

    /// Whether a text in this pattern says which time it is.
    pub(super) fn can_read(&self) -> bool {
        let has =
            |wanted: Letter| self.0.iter().any(|part| matches!(part, Part::Number(letter, _) if *letter == wanted));
        let only_written = [Letter::Quarter, Letter::DayName, Letter::DayOfYear, Letter::ClockHour, Letter::HalfHour]
            .into_iter()
            .any(has);
        // Half a day's hour says nothing without its half, and the half nothing without such an hour.
        !only_written && has(Letter::ClockHalfHour) == has(Letter::Half)
    }
}

impl Letter {
    fn of(self, moment: Moment) -> i64 {
        match self {
            Self::Year => moment.year,
            Self::ShortYear => moment.year.rem_euclid(100),
            Self::Quarter => (moment.month - 1) / 3 + 1,
            Self::Month | Self::MonthName => moment.month,
            Self::Day => moment.day,
            Self::DayName => moment.iso_day_of_week(),
            Self::DayOfYear => moment.day_of_year(),
            Self::Hour => moment.hour,
            Self::ClockHour => (moment.hour + 23) % 24 + 1,
            Self::HalfHour => moment.hour % 12,
            Self::ClockHalfHour => (moment.hour + 11) % 12 + 1,
            Self::Half => moment.hour / 12,
            Self::Minute => moment.minute,
            Self::Second => moment.second,
            Self::Fraction => moment.milli,
        }
    }
}

/// A name with three letters, or with four letters in the pattern whole.
fn named(name: &'static str, count: usize) -> &'static str {
    if count == 4 { name } else { &name[..3] }
}

/// The name that a text begins with, by its place, and what is behind it.
fn one_of<'t, const N: usize>(names: [&'static str; N], text: &'t str) -> Option<(i64, &'t str)> {
    // Of names that begin alike, the longest: a month's whole name begins with its short one.
    let found =
        names.iter().enumerate().filter(|(_, name)| text.starts_with(**name)).max_by_key(|(_, name)| name.len());
    found.map(|(place, name)| (place as i64, &text[name.len()..]))
}

/// As many digits as letters; for a single letter, one or two.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let available = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = if count == 1 { available.min(2) } else { count };
    if length == 0 || available < length {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

/// A moment in a pattern; the pattern itself if it is not a pattern.
pub fn format_timestamp(millis: i64, pattern: &str) -> String {
    let mut out = String::new();
    match pattern.parse::<Pattern>() {
        Ok(parsed) => parsed.write(millis, &mut out),
        Err(_) => out.push_str(pattern),
    }
    out
}

/// The time that a text begins with in a pattern; what is behind it does not matter.
pub(super) fn read_prefix(pattern: &str, text: &str) -> Option<i64> {
    pattern.parse::<Pattern>().ok()?.read_front(text).map(|(millis, _)| millis)
}

/// Reads `yyyy-MM-dd[ HH:mm[:ss[.fraction]]]`, the form of a TIMESTAMP in text; a `T` may stand for the space.
pub fn read_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let date = three(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let clock = if clock.matches(':').count() == 1 { three(&format!("{clock}:00"), ':')? } else { three(clock, ':')? };
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let milli = format!("{fraction:0<3}")[..3].parse().ok()?;
    millis_of(date, (clock.0, clock.1, clock.2, milli))
}

fn three(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    let mut parts = text.split(separator).map(number);
    let three = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(pattern: &str, millis: i64) -> String {
        let mut out = String::new();
        pattern.parse::<Pattern>().unwrap().write(millis, &mut out);
        out
    }

    #[test]
    fn patterns_write_and_read_the_same_text() {
        let millis = 1_700_000_000_123;
        for pattern in ["yyyy-MM-dd HH:mm:ss.SSS", "dd.MM.yyyy'T'HHmmssSSS", "yyyy''MM''dd HH 'o''clock' mm ss SSS"] {
            let parsed = pattern.parse::<Pattern>().unwrap();
            assert_eq!(parsed.read(&write(pattern, millis)), Some(millis), "{pattern}");
        }
        assert_eq!(write("yyyy-MM-dd HH:mm:ss", -1), "1969-12-31 23:59:59");
        assert_eq!(write("yyyy/M/d", 0), "1970/1/1");
        assert_eq!(write("HH 'o''clock' ''", 0), "00 o'clock '");
    }

    #[test]
    fn names_and_halves_of_days_are_english() {
        let millis = 1_577_977_445_678; // 2020-01-02 15:04:05.678
        assert_eq!(write("EEE, d MMM yyyy", millis), "Thu, 2 Jan 2020");
        assert_eq!(write("EEEE MMMM", millis), "Thursday January");
        assert_eq!(write("hh:mm a", millis), "03:04 PM");
        assert_eq!(write("yy Q D k K SSSSSS", millis), "20 1 2 15 3 678000");
        assert_eq!(write("h k a", 0), "12 24 AM");
        for pattern in ["d MMM yyyy", "dd MMMM yy hh:mm a"] {
            let parsed = pattern.parse::<Pattern>().unwrap();
            let day = 1_577_923_200_000;
            assert_eq!(parsed.read(&write(pattern, day)), Some(day), "{pattern}");
        }
        for pattern in ["EEE", "hh", "a", "DDD", "Q"] {
            assert!(!pattern.parse::<Pattern>().unwrap().can_read(), "{pattern}");
        }
    }

    #[test]
    fn letters_of_zones_and_weeks_are_refused() {
        for pattern in ["ww", "MMMMM", "YYYY", "z", "'open"] {
            assert!(pattern.parse::<Pattern>().is_err(), "{pattern}");
        }
    }

    #[test]
    fn text_that_is_no_time_reads_as_none() {
        for text in ["", "2024-01-01x", "2024-13-01", "2023-02-29", "2024-01-01 25:00:00", "+024-01-01"] {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
        assert_eq!(read_timestamp("1970-01-01 00:00:01.5"), Some(1500));
        assert_eq!(read_timestamp("1970-01-01T00:01"), Some(60_000));
        assert_eq!(read_timestamp("1970-01-02"), Some(86_400_000));
    }
}
