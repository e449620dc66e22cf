//! Java's formats: `%[number$][flags][width][.precision]conversion`. Pure.

use std::str::FromStr;

use super::text::java_double;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    /// A whole number of so many bits.
    Whole {
        number: i64,
        bits: u32,
    },
    /// With the text that Java has for it.
    Double {
        number: f64,
        written: String,
    },
    Boolean(bool),
    /// Anything else: it can only be written as it is.
    Text(String),
}

/// A parsed format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Format(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Plain(String),
    Field(Field),
    /// A conversion that Java does not know or does not take like this: nothing can be written.
    Wrong,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Field {
    /// From 0; none for the next one.
    argument: Option<usize>,
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
    /// In small letters.
    conversion: char,
    is_upper: bool,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(place) = rest.find('%') {
            parts.push(Part::Plain(rest[..place].to_string()));
            let (field, length) = field(&rest[place + 1..]);
            parts.push(match field.conversion {
                'h' | 't' | 'a' | 'g' => {
                    let conversion = field.conversion;
                    return Err(format!("the conversion `%{conversion}` is not supported in the format `{text}`"));
                }
                'n' if length == 1 => Part::Plain("\n".to_string()),
                '%' if field.precision.is_none() => Part::Plain(padded("%".to_string(), &field)),
                _ if field.is_right() => Part::Field(field),
                _ => Part::Wrong,
            });
            rest = &rest[place + 1 + length..];
        }
        parts.push(Part::Plain(rest.to_string()));
        Ok(Self(parts))
    }
}

/// The field that a text behind `%` begins with, and its length.
fn field(text: &str) -> (Field, usize) {
    let mut field = Field::default();
    let mut rest = text;
    let number = |rest: &mut &str| {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, behind) = rest.split_at(length);
        *rest = behind;
        digits.parse::<usize>().ok()
    };
    let mut tried = rest;
    if let Some(argument) = number(&mut tried).filter(|number| *number > 0)
        && let Some(behind) = tried.strip_prefix('$')
    {
        (field.argument, rest) = (Some(argument - 1), behind);
    }
    let flags = rest.bytes().take_while(|flag| b"-#+ 0,(".contains(flag)).count();
    field.flags = rest[..flags].to_string();
    rest = &rest[flags..];
    field.width = number(&mut rest);
    if let Some(mut behind) = rest.strip_prefix('.') {
        field.precision = number(&mut behind);
        rest = behind;
    }
    let conversion = rest.chars().next().unwrap_or(' ');
    field.is_upper = conversion.is_ascii_uppercase();
    field.conversion = conversion.to_ascii_lowercase();
    let length = text.len() - rest.len() + rest.chars().next().map_or(0, char::len_utf8);
    (field, length)
}

impl Field {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whether Java takes these flags for this conversion.
    fn is_right(&self) -> bool {
        let taken = match self.conversion {
            's' | 'b' | 'c' => "-",
            'd' if !self.is_upper => "-+ 0,(",
            'x' | 'o' if self.conversion == 'x' || !self.is_upper => "-#0",
            'e' => "-#+ 0(",
            'f' if !self.is_upper => "-#+ 0,(",
            _ => return false,
        };
        let is_twice = self.flags.chars().any(|flag| self.flags.matches(flag).count() > 1);
        let is_odd = self.has('-') && self.has('0') || self.has('+') && self.has(' ');
        let needs_width = (self.has('-') || self.has('0')) && self.width.is_none();
        let has_precision = self.precision.is_some() && matches!(self.conversion, 'd' | 'x' | 'o' | 'c');
        self.flags.chars().all(|flag| taken.contains(flag)) && !(is_twice || is_odd || needs_width || has_precision)
    }

    fn written(&self, value: &Value) -> Option<String> {
        let text = match (self.conversion, value) {
            ('b', Value::Boolean(truth)) => self.cut(truth.to_string()),
            ('b', value) => self.cut((*value != Value::Null).to_string()),
            (_, Value::Null) => return Some(padded(self.cased(self.cut("null".to_string())), self)),
            ('s', Value::Text(text)) => self.cut(text.clone()),
            ('s', Value::Whole { number, .. }) => self.cut(number.to_string()),
            ('s', Value::Double { written, .. }) => self.cut(written.clone()),
            ('s', Value::Boolean(truth)) => self.cut(truth.to_string()),
            ('d', Value::Whole { number, .. }) => {
                self.signed(*number < 0, self.grouped(number.unsigned_abs().to_string()))
            }
            ('x' | 'o', Value::Whole { number, bits }) => {
                let number = *number as u64 & (u64::MAX >> (64 - bits));
                let (digits, prefix) =
                    if self.conversion == 'x' { (format!("{number:x}"), "0x") } else { (format!("{number:o}"), "0") };
                let prefix = if self.has('#') { prefix } else { "" };
                format!("{prefix}{}", self.zeros(&digits, prefix.len()))
            }
            ('c', Value::Whole { number, bits: 8..=32 }) => char::from_u32(u32::try_from(*number).ok()?)?.to_string(),
            ('f' | 'e', Value::Double { number, .. }) => self.real(*number),
            _ => return None,
        };
        Some(padded(self.cased(text), self))
    }

    fn real(&self, number: f64) -> String {
        let precision = self.precision.unwrap_or(6);
        let negative = number.is_sign_negative() && !number.is_nan();
        if !number.is_finite() {
            let text = if number.is_nan() { "NaN" } else { "Infinity" };
            return Self { flags: self.flags.replace('0', ""), ..self.clone() }.signed(negative, text.to_string());
        }
        let (digits, point) = decimal_digits(number.abs());
        let text = match self.conversion {
            'e' => scientific(&digits, point, precision),
            _ => {
                let text = fixed(&digits, point, precision);
                let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
                format!("{}{fraction}", self.grouped(whole.to_string()))
            }
        };
        self.signed(negative, if self.has('#') && precision == 0 { text + "." } else { text })
    }

    /// With a sign and zeros up to the width.
    fn signed(&self, negative: bool, digits: String) -> String {
        let (before, behind) = match negative {
            true if self.has('(') => ("(", ")"),
            true => ("-", ""),
            false if self.has('+') => ("+", ""),
            false if self.has(' ') => (" ", ""),
            false => ("", ""),
        };
        format!("{before}{}{behind}", self.zeros(&digits, before.len() + behind.len()))
    }

    fn zeros(&self, digits: &str, beside: usize) -> String {
        let width = if self.has('0') { self.width.unwrap_or(0).saturating_sub(beside) } else { 0 };
        format!("{}{digits}", "0".repeat(width.saturating_sub(digits.len())))
    }

    /// With commas between thousands.
    fn grouped(&self, digits: String) -> String {
        if !self.has(',') {
            return digits;
        }
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    }

    fn cut(&self, text: String) -> String {
        self.precision.map_or(text.clone(), |most| text.chars().take(most).collect())
    }

    fn cased(&self, text: String) -> String {
        if self.is_upper { text.to_uppercase() } else { text }
    }
}

fn padded(text: String, field: &Field) -> String {
    let missing = field.width.unwrap_or(0).saturating_sub(text.chars().count());
    let spaces = " ".repeat(missing);
    if field.has('-') { text + &spaces } else { spaces + &text }
}

impl Format {
    /// None where Java throws.
    pub(super) fn filled(&self, values: &[Value]) -> Option<String> {
        let (mut text, mut next) = (String::new(), 0);
        for part in &self.0 {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Wrong => return None,
                Part::Field(field) => {
                    let place = field.argument.unwrap_or_else(|| {
                        next += 1;
                        next - 1
                    });
                    text.push_str(&field.written(values.get(place)?)?);
                }
            }
        }
        Some(text)
    }
}

/// The digits that Java writes a number with, and how many of them stand before the point (it may be none, or less).
fn decimal_digits(number: f64) -> (Vec<u8>, i64) {
    let text = java_double(number);
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let zeros = all.iter().take_while(|digit| **digit == 0).count();
    match all.len() == zeros {
        true => (vec![0], 1),
        false => (all[zeros..].to_vec(), whole.len() as i64 + exponent - zeros as i64),
    }
}

/// So many digits, rounded half up; and one more before them if that carries over.
fn rounded(digits: &[u8], count: i64) -> (Vec<u8>, bool) {
    let Ok(count) = usize::try_from(count) else { return (Vec::new(), false) };
    let mut kept: Vec<u8> = digits.iter().copied().chain(std::iter::repeat(0)).take(count).collect();
    if digits.get(count).is_none_or(|digit| *digit < 5) {
        return (kept, false);
    }
    for digit in kept.iter_mut().rev() {
        *digit += 1;
        if *digit < 10 {
            return (kept, false);
        }
        *digit = 0;
    }
    kept.insert(0, 1);
    (kept, true)
}

fn fixed(digits: &[u8], point: i64, precision: usize) -> String {
    let (kept, carried) = rounded(digits, point + precision as i64);
    let point = point + i64::from(carried);
    let digit = |place: i64| usize::try_from(place).ok().and_then(|place| kept.get(place)).copied().unwrap_or(0);
    let text = |from: i64, to: i64| (from..to).map(|place| char::from(b'0' + digit(place))).collect::<String>();
    let whole = if point > 0 { text(0, point) } else { "0".to_string() };
    if precision == 0 { whole } else { format!("{whole}.{}", text(point, point + precision as i64)) }
}

fn scientific(digits: &[u8], point: i64, precision: usize) -> String {
    let (kept, carried) = rounded(digits, precision as i64 + 1);
    let exponent = if digits == [0] { 0 } else { point - 1 + i64::from(carried) };
    let text: String = kept.iter().take(precision + 1).map(|digit| char::from(b'0' + digit)).collect();
    let mantissa = if precision == 0 { text } else { format!("{}.{}", &text[..1], &text[1..]) };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(number: f64) -> Value {
        Value::Double { number, written: java_double(number) }
    }

    #[track_caller]
    fn check(format: &str, values: &[Value], expected: Option<&str>) {
        let found = format.parse::<Format>().unwrap().filled(values);
        assert_eq!(found.as_deref(), expected, "{format} {values:?}");
    }

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        let whole = |number| Value::Whole { number, bits: 32 };
        check("%5d|%-5d|%05d|%+d|%x|%X", &[5, 5, 5, 5, 255, 255].map(whole), Some("    5|5    |00005|+5|ff|FF"));
        check("%,d %(d %x %o", &[1_234_567, -5, -1, 8].map(whole), Some("1,234,567 (5) ffffffff 10"));
        check("%f %.2f %.0f %.1f", &[1.5, 0.125, 2.5, 0.05].map(double), Some("1.500000 0.13 3 0.1"));
        check("%e %.2e %e", &[1.5, 0.000_999_9, 0.0].map(double), Some("1.500000e+00 1.00e-03 0.000000e+00"));
        check("%,.1f %08.2f %+.1f", &[1_234_567.89, -1.5, 9.95].map(double), Some("1,234,567.9 -0001.50 +10.0"));
        check("%f %5.1f", &[f64::NAN, f64::NEG_INFINITY].map(double), Some("NaN -Infinity"));
        check("%c", &[whole(97)], Some("a"));
    }

    #[test]
    fn texts_are_cut_padded_and_put_in_their_places() {
        let text = |text: &str| Value::Text(text.to_string());
        check("%10s|%-10s|%.2s|%S", &["abc", "abc", "abc", "abc"].map(text), Some("       abc|abc       |ab|ABC"));
        check("%2$s %1$s %s", &["a", "b"].map(text), Some("b a a"));
        check("100%% %n", &[], Some("100% \n"));
        check(
            "%s %d %b %b",
            &[Value::Null, Value::Null, Value::Null, Value::Boolean(true)],
            Some("null null false true"),
        );
    }

    #[test]
    fn what_java_refuses_is_null() {
        let text = Value::Text("a".to_string());
        for format in ["%s %s", "%d", "%z", "%-d", "%.2d", "%-05d", "%f", "%c", "%", "%5"] {
            check(format, std::slice::from_ref(&text), None);
        }
        check("%f", &[Value::Whole { number: 1, bits: 32 }], None);
        for format in ["%h", "%tY", "%a", "%g"] {
            assert!(format.parse::<Format>().is_err(), "{format}");
        }
    }
}
