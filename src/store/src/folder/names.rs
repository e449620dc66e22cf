//! From keys to paths and back. Any key is allowed: `a` and `a/b` may both be objects, so folders are told from files by
//! a `%` at their end, which no other name has. Pure.

use std::path::PathBuf;

/// The longest file name that file systems take.
const LONGEST: usize = 255;
/// Stands for nothing between two slashes.
const EMPTY: &str = "%e";

/// The path of an object below its bucket; none if a part of the key is too long for a file name.
pub fn path(key: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        let mut name = encode(part);
        if parts.peek().is_some() {
            name.push('%');
        }
        if name.len() > LONGEST {
            return None;
        }
        path.push(name);
    }
    Some(path)
}

/// What a file's or folder's name stands for: a part of a key, with a `/` at its end for a folder. None for a name that
/// is none of ours.
pub fn key_part(name: &str) -> Option<String> {
    // `%` at the end marks a folder, since an escape always has something after its `%`.
    match name.strip_suffix('%') {
        Some(folder) => decode(folder).map(|part| part + "/"),
        None => decode(name),
    }
}

fn encode(part: &str) -> String {
    if part.is_empty() {
        return EMPTY.to_string();
    }
    let mut name = String::with_capacity(part.len());
    for (place, byte) in part.bytes().enumerate() {
        match byte {
            b'.' if place == 0 => name.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'=' => name.push(byte as char),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    if name == EMPTY {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_path_and_comes_back() {
        let keys =
            ["a", "a/b", "a%", "a%/b", "/", "//", "a//b", "a/", ".", "..", "../x", "é ü/😀", "%e", "x%2Fy", "\0"];
        let mut paths = std::collections::BTreeSet::new();
        for key in keys {
            let path = path(key).unwrap();
            assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{key}");
            let back: String = path.iter().map(|name| key_part(name.to_str().unwrap()).unwrap()).collect();
            assert_eq!(back, key);
            assert!(paths.insert(path), "{key}");
        }
    }

    #[test]
    fn a_part_that_no_file_name_can_hold_is_refused() {
        assert!(path(&"a".repeat(255)).is_some());
        assert!(path(&"a".repeat(256)).is_none());
        assert!(path(&format!("{}/b", "a".repeat(255))).is_none());
    }

    #[test]
    fn names_that_are_not_ours_stand_for_nothing() {
        for name in ["%", "", "%zz", "%4"] {
            assert_eq!(key_part(name), None, "{name}");
        }
    }
}
