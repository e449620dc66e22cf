//! Date patterns in Java's letters, such as `yyyy-MM-dd HH:mm:ss.SSS`, for writing and reading. Letters whose meaning
//! depends on a locale or a zone are refused.

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
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
    DayOfYear,
}

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
        ('M', 1 | 2) => Letter::Month,
        ('d', 1 | 2) => Letter::Day,
        ('H', 1 | 2) => Letter::Hour,
        ('m', 1 | 2) => Letter::Minute,
        ('s', 1 | 2) => Letter::Second,
        ('S', 1..=3) => Letter::Fraction,
        ('D', 3) => Letter::DayOfYear,
        _ => return Err(unsupported(pattern, letter)),
    };
    Ok(Part::Number(known, count))
}

fn unsupported(pattern: &str, letter: char) -> String {
    format!(
        "the date pattern `{pattern}` uses `{letter}` in a way that is not supported; known are yyyy MM dd HH mm ss SSS DDD"
    )
}

impl Pattern {
    pub(super) fn write(&self, millis: i64, out: &mut String) {
        let moment = Moment::of_millis(millis);
        for part in &self.0 {
            let _ = match part {
                Part::Plain(text) => out.write_str(text),
                Part::Number(Letter::Fraction, count) => {
                    write!(out, "{:0count$}", moment.milli / 10_i64.pow(3 - *count as u32))
                }
                Part::Number(letter, count) => write!(out, "{:0count$}", letter.of(moment)),
            };
        }
    }

    /// None if the text does not follow the pattern or names no real time.
    pub(super) fn read(&self, text: &str) -> Option<i64> {
        let (mut date, mut time) = ((1970, 1, 1), (0, 0, 0, 0));
        let mut rest = text;
        for part in &self.0 {
            match part {
                Part::Plain(plain) => rest = rest.strip_prefix(plain.as_str())?,
                Part::Number(letter, count) => {
                    let (value, after) = digits(rest, *count)?;
                    rest = after;
                    match letter {
                        Letter::Year => date.0 = value,
                        Letter::Month => date.1 = value,
                        Letter::Day => date.2 = value,
                        Letter::Hour => time.0 = value,
                        Letter::Minute => time.1 = value,
                        Letter::Second => time.2 = value,
                        Letter::Fraction => time.3 = value * 10_i64.pow(3 - *count as u32),
                        Letter::DayOfYear => return None,
                    }
                }
            }
        }
        if rest.is_empty() { millis_of(date, time) } else { None }
    }

    pub(super) fn can_read(&self) -> bool {
        !self.0.iter().any(|part| matches!(part, Part::Number(Letter::DayOfYear, _)))
    }
}

impl Letter {
    fn of(self, moment: Moment) -> i64 {
        match self {
            Self::Year => moment.year,
            Self::Month => moment.month,
            Self::Day => moment.day,
            Self::Hour => moment.hour,
            Self::Minute => moment.minute,
            Self::Second => moment.second,
            Self::Fraction => moment.milli,
            Self::DayOfYear => moment.day_of_year(),
        }
    }
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
    fn letters_of_a_locale_are_refused() {
        for pattern in ["EEE", "MMM", "hh a", "yy", "z", "'open"] {
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
