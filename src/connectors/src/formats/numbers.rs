//! Numbers from text, without allocation. Must never return a wrong number for an odd text: none is always allowed.

/// A whole number. Fractions are cut off, as Flink does for INT and its like; what does not fit is none.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && digits.len() > 1) {
        return parse_odd_int(text);
    }
    let mut value = 0i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return parse_odd_int(text);
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// Numbers with 19 digits, a fraction or an exponent.
#[cold]
fn parse_odd_int(text: &[u8]) -> Option<i64> {
    if !is_json_number(text) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let value = text.parse::<f64>().ok().filter(|_| text.contains(['.', 'e', 'E']))?.trunc();
    // Both bounds are exact as f64; the upper one is itself too large.
    (-(2f64.powi(63)) <= value && value < 2f64.powi(63)).then_some(value as i64)
}

pub fn parse_float(text: &[u8]) -> Option<f64> {
    is_json_number(text).then_some(())?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn is_json_number(text: &[u8]) -> bool {
    super::json::is_number(text.strip_prefix(b"-").unwrap_or(text))
}

/// A decimal of `scale` digits after the point, rounded half up as Flink does; none if it has more than `precision`.
pub fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    is_json_number(text).then_some(())?;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        None => (text, 0),
        Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i32>().ok()?),
    };
    let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let digits = mantissa.iter().filter(|byte| **byte != b'.');
    // Digits from the front that belong to the value; the one after them decides the rounding.
    let keep = (point as i32).checked_add(exponent)?.checked_add(i32::from(scale))?;
    let (mut value, mut place) = (0i128, 0);
    for digit in digits {
        if place == keep {
            value += i128::from(*digit >= b'5');
        }
        if place >= keep {
            break;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        place += 1;
    }
    for _ in place..keep {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
    }
    let fits = value < 10i128.pow(u32::from(precision));
    fits.then_some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.9", Some(1)),
            ("-1.9", Some(-1)),
            ("1e3", Some(1000)),
            ("1e19", None),
            ("01", None),
            ("", None),
            ("-", None),
            ("1x", None),
            ("+1", None),
            ("true", None),
        ] {
            assert_eq!(parse_int(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn decimals() {
        for (text, value) in [
            ("1.005", Some(101)),
            ("1.004", Some(100)),
            ("-1.005", Some(-101)),
            ("12", Some(1200)),
            ("1e2", Some(10_000)),
            ("125e-3", Some(13)),
            ("0.0000", Some(0)),
            ("9e-9", Some(0)),
            ("99999999.99", Some(9_999_999_999)),
            ("99999999.999", None),
            ("1e30", None),
            ("abc", None),
        ] {
            assert_eq!(parse_decimal(text.as_bytes(), 10, 2), value, "{text}");
        }
    }
}
