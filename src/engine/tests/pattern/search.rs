//! The matches that a search finds which goes back and tries every way.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{After, Case, Extra, Row, letter};

/// The results, each partition's in order: the key and the measures, as text.
pub fn searched(rows: &[Row], case: &Case) -> Vec<Vec<String>> {
    let mut partitions: BTreeMap<Option<String>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        partitions.entry(row.key.clone()).or_default().push(row.clone());
    }
    let mut results = Vec::new();
    for (key, mut rows) in partitions {
        rows.sort_by_key(|row| (row.time, row.number));
        let mut start = 0;
        while start < rows.len() {
            let mut way = Way { rows: &rows, case, start, taken: Vec::new(), best: None, ran_out: false };
            way.go(0, 0);
            // What would have come next may have completed this match, and skipped later ones.
            if way.best.is_none() && way.ran_out && case.within_ms.is_none() {
                break;
            }
            let Some(taken) = way.best else {
                start += 1;
                continue;
            };
            let mut result = vec![key.clone().unwrap_or("NULL".to_string())];
            result.extend(measured(&rows, start, &taken));
            results.push(result);
            let last_of = |variable| start + taken.iter().rposition(|taken| *taken == variable).unwrap();
            start = match case.after {
                After::PastLastRow => start + taken.len(),
                After::ToNextRow => start + 1,
                After::ToFirst(_) => panic!("not searched here"),
                After::ToLast(variable) => last_of(variable),
            };
        }
    }
    results
}

fn measured(rows: &[Row], start: usize, taken: &[usize]) -> Vec<String> {
    let of = |variable: usize| -> Vec<usize> {
        let places = taken.iter().enumerate().filter(|(_, taken)| **taken == variable);
        places.map(|(place, _)| start + place).collect()
    };
    let (a, b) = (of(0), of(1));
    let value = |row: &usize| rows[*row].value;
    let some = |values: BTreeSet<i64>| (!values.is_empty()).then(|| values.iter().sum::<i64>());
    let measures = [
        Some(rows[start].number),
        Some(rows[start + taken.len() - 1].number),
        a.iter().rev().nth(1).map(value),
        b.get(1).map(value),
        a.last().and_then(|row| row.checked_sub(1)).map(|row| rows[row].number),
        Some(taken.len() as i64),
        (!a.is_empty()).then(|| a.iter().map(value).sum()),
        some(b.iter().map(value).collect()),
    ];
    measures.map(|value| value.map_or("NULL".to_string(), |value| value.to_string())).to_vec()
}

/// All ways to match from a row on, one after the other, in the order of preference.
struct Way<'a> {
    rows: &'a [Row],
    case: &'a Case,
    start: usize,
    /// The variable of each row.
    taken: Vec<usize>,
    /// The shortest so far.
    best: Option<Vec<usize>>,
    /// Whether a way needs a row behind the last one.
    ran_out: bool,
}

impl Way<'_> {
    /// Goes on behind `count` rows of a variable.
    fn go(&mut self, variable: usize, count: u32) {
        if self.best.as_ref().is_some_and(|best| best.len() <= self.taken.len()) {
            return;
        }
        let Some(term) = self.case.terms.get(variable).copied() else { return };
        self.ran_out |= self.start + self.taken.len() == self.rows.len();
        let fits = self.fits(variable);
        let takes = fits && term.most.is_none_or(|most| count < most);
        let keeps = fits && term.greedy && term.most != Some(term.least) && (term.least, term.most) != (0, Some(1));
        if takes && term.greedy {
            self.take(variable, count + 1);
        }
        if count >= term.least && !keeps {
            self.go(variable + 1, 0);
        }
        if takes && !term.greedy {
            self.take(variable, count + 1);
        }
    }

    fn take(&mut self, variable: usize, count: u32) {
        self.taken.push(variable);
        let rest = &self.case.terms[variable + 1..];
        if count >= self.case.terms[variable].least && rest.iter().all(|term| term.least == 0) {
            if self.best.as_ref().is_none_or(|best| best.len() > self.taken.len()) {
                self.best = Some(self.taken.clone());
            }
        } else {
            self.go(variable, count);
        }
        self.taken.pop();
    }

    fn fits(&self, variable: usize) -> bool {
        let place = self.start + self.taken.len();
        let Some(row) = self.rows.get(place) else { return false };
        let in_time = self.case.within_ms.is_none_or(|within_ms| row.time - self.rows[self.start].time < within_ms);
        let value = row.value;
        let own = || {
            let places = self.taken.iter().enumerate().filter(|(_, taken)| **taken == variable);
            places.map(|(place, _)| self.rows[self.start + place].value)
        };
        let fits = match self.case.terms[variable].extra {
            Extra::None => true,
            Extra::Rising => own().next_back().is_none_or(|last| value > last),
            Extra::SumBelow(limit) => self.rows[self.start..=place].iter().map(|row| row.value).sum::<i64>() < limit,
            Extra::AboveFirst => value >= self.rows[self.start].value,
            Extra::AbovePrevious => place > 0 && value > self.rows[place - 1].value,
            Extra::FewDistinct(limit) => own().chain([value]).collect::<BTreeSet<_>>().len() as i64 <= limit,
        };
        in_time && fits && row.letters.contains(letter(variable))
    }
}
