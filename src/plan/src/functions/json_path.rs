//! Paths into JSON: `$.a.b[0]['c'][*].*`, lax unless they say so.

use std::str::FromStr;

use super::json_value::Json;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Negative from the end.
    Index(i64),
    /// All members of an object or elements of an array.
    All,
}

impl JsonPath {
    /// Everything that the path leads to.
    pub(super) fn find<'a>(&self, json: &'a Json) -> Vec<&'a Json> {
        let mut found = vec![json];
        for step in &self.0 {
            found = found.into_iter().flat_map(|json| step.take(json)).collect();
        }
        found
    }
}

impl Step {
    fn take<'a>(&self, json: &'a Json) -> Vec<&'a Json> {
        match (self, json) {
            (Self::Member(name), Json::Object(members)) => {
                members.iter().filter(|(known, _)| known == name).map(|(_, value)| value).collect()
            }
            (Self::Index(index), Json::Array(elements)) => {
                let from_end = elements.len() as i64 + index;
                let place = usize::try_from(if *index < 0 { from_end } else { *index });
                place.ok().and_then(|place| elements.get(place)).into_iter().collect()
            }
            (Self::All, Json::Array(elements)) => elements.iter().collect(),
            (Self::All, Json::Object(members)) => members.iter().map(|(_, value)| value).collect(),
            (Self::Member(_) | Self::Index(_) | Self::All, _) => Vec::new(),
        }
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("the JSON path `{text}` is not supported: {why}");
        let path = match text.split_once(char::is_whitespace) {
            Some(("strict", _)) => return Err(refused("strict paths are not; use lax")),
            Some(("lax", path)) => path.trim_start(),
            _ => text,
        };
        let mut rest = path.strip_prefix('$').ok_or_else(|| refused("it does not begin with `$`"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = step(rest).ok_or_else(|| refused(&format!("`{rest}` cannot be read")))?;
            steps.push(step);
            rest = behind;
        }
        Ok(Self(steps))
    }
}

/// The first step of a path and what is behind it.
fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        return match name {
            "*" => Some((Step::All, behind)),
            _ if name.is_empty() || name.contains(['(', ')', '?', '@', '\'', '"', ' ']) => None,
            _ => Some((Step::Member(name.to_string()), behind)),
        };
    }
    let rest = path.strip_prefix('[')?.trim_start();
    if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (name, behind) = rest[1..].split_once(quote)?;
        let behind = behind.trim_start().strip_prefix(']')?;
        return (!name.contains('\\')).then(|| (Step::Member(name.to_string()), behind));
    }
    let (inside, behind) = rest.split_once(']')?;
    match inside.trim() {
        "*" => Some((Step::All, behind)),
        index => index.parse().ok().map(|index| (Step::Index(index), behind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let json = Json::parse(r#"{"a": {"b c": [1, {"d": 2}, 3]}, "e": null, "a.b": 4}"#).unwrap();
        let found: Vec<String> = path.parse::<JsonPath>().unwrap().find(&json).iter().map(|f| f.to_string()).collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_leads_to_what_it_names() {
        check("$.a['b c'][0]", &["1"]);
        check("lax $.a[\"b c\"][1].d", &["2"]);
        check("$.a['b c'][-1]", &["3"]);
        check("$['a.b']", &["4"]);
        check("$.a['b c'][*]", &["1", r#"{"d":2}"#, "3"]);
        check("$.a.*[0]", &["1"]);
        check("$.e", &["null"]);
    }

    #[test]
    fn what_is_not_there_is_no_fault() {
        for path in ["$.x", "$.a[0]", "$.a['b c'][9]", "$.a['b c'].d", "$.e.f"] {
            check(path, &[]);
        }
    }

    #[test]
    fn paths_that_mean_more_are_refused() {
        for path in ["a", "$..a", "$.a[?(@.b)]", "strict $.a", "$.a.size()", "$[1:2]", "$.a[", ""] {
            assert!(path.parse::<JsonPath>().is_err(), "{path}");
        }
    }
}
