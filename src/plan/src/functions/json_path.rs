//! Paths into JSON: `$.a.b[0]['c'][*].*`, strict unless they say that they are lax.

use std::str::FromStr;

use super::json_value::Json;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    mode: Mode,
    steps: Vec<Step>,
}

/// Whether it is a fault that a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Strict,
    Lax,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found<'a> {
    /// Not null.
    One(&'a Json),
    /// Of a path that may lead to many values: what it leads to, as an array.
    Many(Vec<&'a Json>),
    /// Nothing, which is a fault for a strict path.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Negative from the end.
    Index(i64),
    /// All members of an object or elements of an array.
    All,
}

impl JsonPath {
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// What the path leads to in a text, which may be no JSON.
    pub(super) fn find<'a>(&self, json: Option<&'a Json>) -> Found<'a> {
        let Some(json) = json else { return Found::Nothing };
        let mut found = vec![json];
        for step in &self.steps {
            let next: Vec<&Json> = found.iter().flat_map(|json| step.take(json)).collect();
            if self.mode == Mode::Strict && *step != Step::All && next.len() < found.len() {
                return Found::Nothing;
            }
            found = next;
        }
        match (self.steps.contains(&Step::All), found.as_slice()) {
            (true, _) => Found::Many(found),
            (false, [Json::Null] | []) => Found::Nothing,
            (false, [one, ..]) => Found::One(one),
        }
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
        let (mode, path) = match text.trim_start().split_once(char::is_whitespace) {
            Some((mode, path)) if mode.eq_ignore_ascii_case("strict") => (Mode::Strict, path.trim_start()),
            Some((mode, path)) if mode.eq_ignore_ascii_case("lax") => (Mode::Lax, path.trim_start()),
            _ => (Mode::Strict, text),
        };
        let mut rest = path.strip_prefix('$').ok_or_else(|| refused("it does not begin with `$`"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = step(rest).ok_or_else(|| refused(&format!("`{rest}` cannot be read")))?;
            steps.push(step);
            rest = behind;
        }
        Ok(Self { mode, steps })
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
    fn check(path: &str, expected: Option<&str>) {
        let json = Json::parse(r#"{"a": {"b c": [1, {"d": 2}, 3]}, "e": null, "a.b": 4}"#).unwrap();
        let found = match path.parse::<JsonPath>().unwrap().find(Some(&json)) {
            Found::Nothing => None,
            Found::One(one) => Some(one.to_string()),
            Found::Many(many) => Some(Json::Array(many.into_iter().cloned().collect()).to_string()),
        };
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn a_path_leads_to_what_it_names() {
        check("$.a['b c'][0]", Some("1"));
        check("lax $.a[\"b c\"][1].d", Some("2"));
        check("$.a['b c'][-1]", Some("3"));
        check("$['a.b']", Some("4"));
        check("$.a['b c'][*]", Some(r#"[1,{"d":2},3]"#));
        check("$.a.*[0]", Some("[1]"));
        check("lax $.x[*]", Some("[]"));
    }

    #[test]
    fn what_is_not_there_or_null_is_nothing() {
        for path in ["$.x", "$.a[0]", "$.a['b c'][9]", "lax $.a['b c'].d", "$.e.f", "$.e", "lax $.e", "strict $.x[*]"] {
            check(path, None);
        }
    }

    #[test]
    fn paths_that_mean_more_are_refused() {
        for path in ["a", "$..a", "$.a[?(@.b)]", "$.a.size()", "$[1:2]", "$.a[", ""] {
            assert!(path.parse::<JsonPath>().is_err(), "{path}");
        }
    }
}
