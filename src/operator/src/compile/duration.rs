//! Durations as people write them.

/// Milliseconds of a number with a unit, such as `500ms`, `60s`, `10m`, `1h`.
pub fn parse_millis(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse_millis;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("0s", Some(0)),
            ("60s", Some(60_000)),
            ("10m", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("99999999999999999999s", None),
            ("9999999999999999999h", None),
        ] {
            assert_eq!(parse_millis(text), millis, "{text}");
        }
    }
}
