//! Finds the ends of JSON values in bytes, eight bytes at a time where that pays. Knows nothing of columns.

/// Why a text is no JSON, with the byte where it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub reason: &'static str,
}

pub type Scanned<T> = Result<T, Fault>;

/// A JSON string without its quotes, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawString {
    pub start: usize,
    pub end: usize,
    pub escaped: bool,
    /// Has bytes above 127, which are to be checked before they are called UTF-8.
    pub wide: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of each byte that equals `byte`. Bytes above the first match may be marked wrongly.
#[inline(always)]
fn matches(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGHS
}

#[inline(always)]
pub fn skip_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// Reads a string whose opening quote is at `at`, up to its closing one.
#[inline]
pub fn string(text: &[u8], at: usize) -> Scanned<RawString> {
    let start = at + 1;
    let (mut place, mut escaped, mut wide) = (start, false, false);
    while let Some(word) = word(text, place) {
        let found = matches(word, b'"') | matches(word, b'\\') | control(word);
        if found == 0 {
            wide |= word & HIGHS != 0;
            place += 8;
            continue;
        }
        let length = (found.trailing_zeros() / 8) as usize;
        wide |= word & HIGHS & ((1u64 << (8 * length)) - 1) != 0;
        place += length;
        match text[place] {
            b'"' => return Ok(RawString { start, end: place, escaped, wide }),
            b'\\' => {
                escaped = true;
                place += 2;
            }
            _ => return Err(Fault { at: place, reason: "a control character stands in a string" }),
        }
    }
    string_tail(text, RawString { start, end: place, escaped, wide })
}

/// The last bytes of the text, one by one.
fn string_tail(text: &[u8], mut string: RawString) -> Scanned<RawString> {
    loop {
        match text.get(string.end) {
            Some(b'"') => return Ok(string),
            Some(b'\\') => {
                string.escaped = true;
                string.end += 2;
            }
            Some(byte) if *byte < 0x20 => {
                return Err(Fault { at: string.end, reason: "a control character stands in a string" });
            }
            Some(byte) => {
                string.wide |= *byte >= 0x80;
                string.end += 1;
            }
            None => return Err(Fault { at: text.len(), reason: "a string does not end" }),
        }
    }
}

#[inline(always)]
fn word(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Marks bytes below 0x20.
#[inline(always)]
fn control(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The end of a number, `true`, `false` or `null` that begins at `at`: the first byte that belongs to none of them.
fn bare(text: &[u8], at: usize) -> usize {
    let length = text[at..].iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
    length.map_or(text.len(), |length| at + length)
}

/// The end of a whole number of plain digits that begins at `at`; none for any other value.
#[inline]
pub fn whole_number(text: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = start;
    while text.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    let digits = end - start;
    let well_formed = digits == 1 || (digits > 1 && text[start] != b'0');
    let ends = matches!(text.get(end), None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
    (well_formed && ends).then_some(end)
}

/// The end of the value that begins at `at`, whatever it is. Checks what a reader relies on (quotes, brackets, words and
/// the look of numbers), not every rule.
#[inline]
pub fn skip_value(text: &[u8], at: usize) -> Scanned<usize> {
    match text.get(at) {
        Some(b'"') => Ok(string(text, at)?.end + 1),
        Some(b'{' | b'[') => skip_nested(text, at),
        Some(_) => match whole_number(text, at) {
            Some(end) => Ok(end),
            None => skip_bare(text, at),
        },
        None => Err(Fault { at, reason: "a value is missing" }),
    }
}

fn skip_bare(text: &[u8], at: usize) -> Scanned<usize> {
    let end = bare(text, at);
    match is_bare(&text[at..end]) {
        true => Ok(end),
        false => Err(Fault { at, reason: "a value is neither a number nor a string nor true, false or null" }),
    }
}

fn is_bare(word: &[u8]) -> bool {
    match word {
        b"true" | b"false" | b"null" => true,
        [b'-', rest @ ..] => is_number(rest),
        digits => is_number(digits),
    }
}

/// Whether the text is a JSON number, given without its sign.
pub fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let [b'.', fraction @ ..] = rest {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
        _ => false,
    }
}

/// The end of an object or array. Keeps the open brackets in a stack of bits, so it neither recurses nor allocates.
fn skip_nested(text: &[u8], at: usize) -> Scanned<usize> {
    const DEEPEST: u32 = 128;
    let (mut place, mut depth, mut objects) = (at, 0u32, 0u128);
    loop {
        match text.get(place) {
            Some(b'"') => place = string(text, place)?.end + 1,
            Some(open @ (b'{' | b'[')) => {
                if depth == DEEPEST {
                    return Err(Fault { at: place, reason: "values are nested too deeply" });
                }
                objects = objects << 1 | u128::from(*open == b'{');
                depth += 1;
                place += 1;
            }
            Some(close @ (b'}' | b']')) => {
                if (objects & 1 == 1) != (*close == b'}') {
                    return Err(Fault { at: place, reason: "a closing bracket does not fit the open one" });
                }
                objects >>= 1;
                depth -= 1;
                place += 1;
                if depth == 0 {
                    return Ok(place);
                }
            }
            Some(b',' | b':' | b' ' | b'\n' | b'\r' | b'\t') => place += 1,
            Some(_) => {
                let end = nested_bare(text, place);
                if !is_bare(&text[place..end]) {
                    return Err(Fault { at: place, reason: "a nested value is no JSON" });
                }
                place = end;
            }
            None => return Err(Fault { at: text.len(), reason: "an object or array does not end" }),
        }
    }
}

fn nested_bare(text: &[u8], at: usize) -> usize {
    let length = text[at..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'['));
    length.map_or(text.len(), |length| at + length)
}

/// Writes a string's text with its escapes resolved.
pub fn unescape(raw: &[u8], at: usize, out: &mut Vec<u8>) -> Scanned<()> {
    let mut place = 0;
    while place < raw.len() {
        let plain = raw[place..].iter().position(|byte| *byte == b'\\').map_or(raw.len(), |length| place + length);
        out.extend_from_slice(&raw[place..plain]);
        if plain == raw.len() {
            break;
        }
        place =
            escape(raw, plain, out).ok_or(Fault { at: at + plain, reason: "an escape in a string is not valid" })?;
    }
    Ok(())
}

/// Resolves the escape at `at` and says where it ends. A lone surrogate is no character and is refused.
fn escape(raw: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let byte = match raw.get(at + 1)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        plain @ (b'"' | b'\\' | b'/') => *plain,
        b'u' => {
            let (character, end) = unicode(raw, at)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(end);
        }
        _ => return None,
    };
    out.push(byte);
    Some(at + 2)
}

fn unicode(raw: &[u8], at: usize) -> Option<(char, usize)> {
    let first = hex4(raw, at + 2)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, at + 6));
    }
    if raw.get(at + 6..at + 8)? != b"\\u" {
        return None;
    }
    let second = hex4(raw, at + 8)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?, at + 12))
}

fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let digits = raw.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_at_their_closing_quote_at_every_length() {
        for length in 0..40 {
            let text = format!("\"{}\" tail of the text", "a".repeat(length));
            assert_eq!(string(text.as_bytes(), 0).unwrap().end, length + 1);
            let open = &text.as_bytes()[..length + 1];
            assert!(string(open, 0).is_err(), "{length}");
        }
    }

    #[test]
    fn escapes_and_wide_characters_are_noticed() {
        let raw = string(b"\"0123456\\\"789\" and more", 0).unwrap();
        assert!(raw.escaped && !raw.wide);
        assert_eq!(raw.end, 13);
        assert!(string("\"01234567é\"".as_bytes(), 0).unwrap().wide);
        assert!(!string("\"abc\"é0123456".as_bytes(), 0).unwrap().wide);
        assert!(string(b"\"0123\n45678\"", 0).is_err());
        assert!(string(b"\"abc\\", 0).is_err());
    }

    #[test]
    fn values_are_skipped_whole() {
        for text in ["1", "-0.5e+3", "\"a,b\"", "{\"a\":[1,{\"b\":\"}\"}],\"c\":null}", "[]", "{}", "true", "null"] {
            let padded = format!("{text},0");
            assert_eq!(skip_value(padded.as_bytes(), 0), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["", "tru", "nul", "01", "1.", ".5", "-", "1e", "+1", "NaN", "[1", "{\"a\":1]", "[tru]", "'a'"] {
            assert!(skip_value(text.as_bytes(), 0).is_err(), "{text}");
        }
        assert!(skip_value("[".repeat(200).as_bytes(), 0).is_err());
    }

    #[test]
    fn escapes_are_resolved() {
        let resolved = |raw: &str| {
            let mut out = Vec::new();
            unescape(raw.as_bytes(), 0, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(resolved(r#"a\"\\\/\b\f\n\r\tz"#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(resolved(r"\u0041\u00e9\ud83d\ude00").unwrap(), "Aé😀");
        for wrong in [r"\x", r"\u12", r"\ud83d", r"\ud83dx", r"\ude00", r"\"] {
            assert!(resolved(wrong).is_err(), "{wrong}");
        }
    }
}
