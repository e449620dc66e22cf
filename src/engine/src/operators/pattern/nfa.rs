//! What a row does to a partial match: the pattern as an automaton whose states are an element of the pattern and how
//! many rows it has taken. Pure: it knows of rows only for which elements their conditions hold.
//!
//! A greedy repetition is left only by a row that does not fit it, as in Flink: even when it has as many rows as it may
//! take, and unless these are a fixed number. `?` tries both ways. So several ways may be open at a time, and whichever
//! is complete first is the match.

use tidemill_plan::Pattern;

/// Where a partial match stands: `taken` rows (as far as counting matters) are taken for `element`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub element: usize,
    pub taken: u32,
}

/// For which elements a row's conditions hold, a bit each.
pub type Holds = u64;

/// The highest number of elements: that of the bits of [`Holds`].
const MOST_ELEMENTS: usize = 64;

/// A pattern that cannot be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("it could match no rows at all; there must be a variable that is not optional")]
    MatchesNothing,
    #[error(
        "it ends greedily, so that a match would never be known to be over; end it with a variable that takes a fixed number of rows or reluctantly"
    )]
    EndsGreedily,
    #[error("a quantifier stands behind more than one variable")]
    Group,
    #[error("a variable stands in it twice")]
    RepeatedVariable,
    #[error("a quantifier's numbers {{{least},{most}}} allow no row")]
    Bounds { least: u32, most: u32 },
    #[error("it has more than {MOST_ELEMENTS} variables")]
    TooLong,
}

/// A pattern, ready to be followed.
#[derive(Clone, Debug)]
pub struct Nfa {
    elements: Vec<Element>,
}

#[derive(Clone, Debug)]
struct Element {
    variable: usize,
    least: u32,
    most: Option<u32>,
    greedy: bool,
}

impl Nfa {
    /// Before the first row.
    pub const START: Place = Place { element: 0, taken: 0 };

    pub fn compile(pattern: &Pattern) -> Result<Self, PatternError> {
        let mut elements = Vec::new();
        flatten(pattern, &mut elements)?;
        if elements.len() > MOST_ELEMENTS {
            return Err(PatternError::TooLong);
        }
        let variables: std::collections::BTreeSet<usize> = elements.iter().map(|element| element.variable).collect();
        if variables.len() < elements.len() {
            return Err(PatternError::RepeatedVariable);
        }
        let last_needed = elements.iter().rposition(|element| element.least > 0).ok_or(PatternError::MatchesNothing)?;
        if elements[last_needed..].iter().any(Element::keeps_all) {
            return Err(PatternError::EndsGreedily);
        }
        Ok(Self { elements })
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// The variable that an element takes rows for.
    pub fn variable(&self, element: usize) -> usize {
        self.elements[element].variable
    }

    /// The element that takes rows for a variable, if it is in the pattern.
    pub fn element(&self, variable: usize) -> Option<usize> {
        self.elements.iter().position(|element| element.variable == variable)
    }

    /// Whether the next row's fate may depend on whether it can be taken for `element`.
    pub fn asks(&self, place: Place, element: usize) -> bool {
        let is_left = |(number, passed): (usize, &Element)| match number {
            0 => place.taken >= passed.least,
            _ => passed.least == 0,
        };
        element >= place.element && self.elements[place.element..element].iter().enumerate().all(is_left)
    }

    /// Appends the places to go on at when a row has been taken, the preferred first.
    pub fn step(&self, place: Place, holds: Holds, next: &mut Vec<Place>) {
        let Some(element) = self.elements.get(place.element) else { return };
        let fits = holds >> place.element & 1 == 1;
        let taken = (fits && element.can_take(place.taken))
            .then(|| Place { element: place.element, taken: element.count(place.taken) });
        let is_left = place.taken >= element.least && !(fits && element.keeps_all());
        let (first, last) = if element.greedy { (taken, None) } else { (None, taken) };
        next.extend(first);
        if is_left {
            self.step(Place { element: place.element + 1, taken: 0 }, holds, next);
        }
        next.extend(last);
    }

    /// Whether nothing more is needed.
    pub fn is_complete(&self, place: Place) -> bool {
        let (current, rest) = (&self.elements[place.element], &self.elements[place.element + 1..]);
        place.taken >= current.least && rest.iter().all(|element| element.least == 0)
    }
}

impl Element {
    fn can_take(&self, taken: u32) -> bool {
        self.most.is_none_or(|most| taken < most)
    }

    /// One row more, as far as counting matters: without a bound, places beyond the least number are the same.
    fn count(&self, taken: u32) -> u32 {
        match self.most {
            Some(_) => taken + 1,
            None => (taken + 1).min(self.least.max(1)),
        }
    }

    /// Whether it is never left by a row that fits it, be it full.
    fn keeps_all(&self) -> bool {
        self.greedy && self.most != Some(self.least) && !(self.least == 0 && self.most == Some(1))
    }
}

fn flatten(pattern: &Pattern, elements: &mut Vec<Element>) -> Result<(), PatternError> {
    match pattern {
        Pattern::Variable(variable) => {
            elements.push(Element { variable: *variable, least: 1, most: Some(1), greedy: true });
        }
        Pattern::Sequence(parts) => {
            for part in parts {
                flatten(part, elements)?;
            }
        }
        Pattern::Repeat { pattern, least, most, greedy } => {
            if let Some(most) = most.filter(|most| most < least || *most == 0) {
                return Err(PatternError::Bounds { least: *least, most });
            }
            let variable = single(pattern).ok_or(PatternError::Group)?;
            elements.push(Element { variable, least: *least, most: *most, greedy: *greedy });
        }
    }
    Ok(())
}

/// The variable, if the pattern is no more than one.
fn single(pattern: &Pattern) -> Option<usize> {
    match pattern {
        Pattern::Variable(variable) => Some(*variable),
        Pattern::Sequence(parts) => match &parts[..] {
            [part] => single(part),
            _ => None,
        },
        Pattern::Repeat { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::notation::pattern;
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: PatternError) {
        assert_eq!(Nfa::compile(&pattern(text)).map(|_| ()), Err(expected), "{text}");
    }

    #[test]
    fn patterns_that_could_match_no_rows_are_refused() {
        for text in ["A*", "A? B*", "A{0,3} B?", "A*? B*?", ""] {
            refused(text, PatternError::MatchesNothing);
        }
    }

    #[test]
    fn patterns_that_end_greedily_are_refused() {
        for text in ["A B+", "A B*", "A+", "A{2,4}", "A B{2,}", "A B+ C?", "A B* C?"] {
            refused(text, PatternError::EndsGreedily);
        }
        for text in ["A B+?", "A B{3}", "A B?", "A+ B", "A{2,4}?"] {
            assert!(Nfa::compile(&pattern(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn groups_repeated_variables_and_empty_bounds_are_refused() {
        refused("A B A", PatternError::RepeatedVariable);
        refused("A{3,2} B", PatternError::Bounds { least: 3, most: 2 });
        let group = Pattern::Sequence(vec![Pattern::Variable(0), Pattern::Variable(1)]);
        let group = Pattern::Repeat { pattern: Box::new(group), least: 1, most: None, greedy: false };
        assert_eq!(Nfa::compile(&group).map(|_| ()), Err(PatternError::Group));
    }

    /// The places after a row for which these elements hold, as `element:taken`.
    #[track_caller]
    fn check(text: &str, place: (usize, u32), holds: Holds, expected: &str) {
        let nfa = Nfa::compile(&pattern(text)).unwrap();
        let place = Place { element: place.0, taken: place.1 };
        let mut next = Vec::new();
        nfa.step(place, holds, &mut next);
        let places: Vec<String> = next.iter().map(|place| format!("{}:{}", place.element, place.taken)).collect();
        assert_eq!(places.join(" "), expected, "{text} {place:?} {holds:b}");
        for next in next {
            assert!(nfa.asks(place, next.element), "what decides is asked for");
        }
    }

    #[test]
    fn a_greedy_repetition_is_not_left_by_a_row_that_fits_it() {
        check("A B* C", (0, 1), 0b110, "1:1");
        check("A B* C", (1, 1), 0b110, "1:1");
        check("A B* C", (1, 1), 0b100, "2:1");
        check("A B{2,3} C", (1, 1), 0b100, "");
        check("A B{2,3} C", (1, 3), 0b100, "2:1");
        check("A B{2,3} C", (1, 3), 0b110, "");
        check("A B{2,3}? C", (1, 3), 0b110, "2:1");
        check("A B{2} C", (1, 2), 0b110, "2:1");
    }

    #[test]
    fn a_reluctant_repetition_prefers_to_be_left() {
        check("A B*? C", (0, 1), 0b110, "2:1 1:1");
        check("A B+? C", (0, 1), 0b110, "1:1");
        check("A B+? C", (1, 1), 0b110, "2:1 1:1");
    }

    #[test]
    fn an_optional_variable_tries_both_ways() {
        check("A B? C", (0, 1), 0b110, "1:1 2:1");
        check("A B? C", (1, 1), 0b110, "2:1");
    }

    #[test]
    fn places_beyond_the_least_number_are_the_same() {
        check("A{2,} B", (0, 2), 0b01, "0:2");
        check("A{2,} B", (0, 1), 0b11, "0:2");
        check("A{2,} B", (0, 2), 0b10, "1:1");
    }
}
