//! The search in one partition: which partial matches there are, which of them a row completes, and where the search
//! goes on after a match. Pure: rows are numbers, and what they are is told by [`Holds`].
//!
//! Matches are found from every row on at once, and put out as if they were looked for one after the other: a complete
//! match waits while one that began earlier may still become complete, and is dropped if that one skips its first row.
//! The end of the input decides nothing, as in Flink: what waits then, and is not ended by WITHIN, is no result.

use std::rc::Rc;

use tidemill_plan::AfterMatch;

use super::nfa::{Holds, Nfa, Place};
use super::path::{RowNumber, Run, View, extended};

/// What all partitions of an operator have in common.
#[derive(Debug)]
pub struct Rules {
    pub nfa: Nfa,
    /// Variables are elements here; none if the pattern does not have the variable.
    pub after: Skip,
    pub within_ms: Option<i64>,
    /// Whether no condition looks at other rows than the one to be taken: then what becomes of a partial match is
    /// decided by its place alone.
    pub forgetful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    PastLastRow,
    ToNextRow,
    ToFirst(usize),
    ToLast(usize),
}

impl Skip {
    /// None if the pattern does not have the variable that is skipped to.
    pub fn new(after: AfterMatch, nfa: &Nfa) -> Option<Self> {
        Some(match after {
            AfterMatch::PastLastRow => Self::PastLastRow,
            AfterMatch::ToNextRow => Self::ToNextRow,
            AfterMatch::ToFirst(variable) => Self::ToFirst(nfa.element(variable)?),
            AfterMatch::ToLast(variable) => Self::ToLast(nfa.element(variable)?),
        })
    }
}

/// A match after which the search cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipFault {
    /// It took no row for the element that is skipped to.
    NoSuchRow(usize),
    /// It begins with the row that is skipped to, and would be found again for ever.
    FirstRow(usize),
}

/// A match; its rows are those from `start` to before `end`.
#[derive(Clone, Debug)]
pub struct Match {
    pub start: RowNumber,
    pub end: RowNumber,
    runs: Rc<Run>,
}

impl Match {
    pub fn view(&self) -> View<'_> {
        View { runs: Some(&self.runs), start: self.start, end: self.end, candidate: None }
    }
}

/// A partial match.
#[derive(Debug)]
struct Thread {
    start: RowNumber,
    start_time: i64,
    place: Place,
    runs: Rc<Run>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Search {
    /// In the order of their first rows, and of preference.
    threads: Vec<Thread>,
    /// Matches that wait for partial ones that began earlier, in the order of their first rows.
    complete: Vec<Match>,
    /// No match begins before this row.
    from: RowNumber,
}

impl Search {
    /// Matches begin a row later than they otherwise would.
    pub fn begin_later(&mut self) {
        self.from += 1;
    }

    /// Whether there is nothing but the rows to come.
    pub fn is_idle(&self) -> bool {
        self.threads.is_empty() && self.complete.is_empty()
    }

    /// The first row that is still needed.
    pub fn needed_from(&self) -> Option<RowNumber> {
        let thread = self.threads.first().map(|thread| thread.start);
        let complete = self.complete.first().map(|complete| complete.start);
        thread.into_iter().chain(complete).min()
    }

    /// The first row that a match may begin at, of those before `next`: all that begin earlier have been found, skipped
    /// or given up.
    pub fn begins_at(&self, next: RowNumber) -> RowNumber {
        self.from.max(self.needed_from().unwrap_or(next))
    }

    /// The partial matches that the next row is offered to, as places and views without a candidate; the last is the
    /// one that would begin with it.
    pub fn offers(&self, row: RowNumber) -> impl Iterator<Item = (Place, View<'_>)> {
        let open = self.threads.iter().map(move |thread| {
            let view = View { runs: Some(&thread.runs), start: thread.start, end: row, candidate: None };
            (thread.place, view)
        });
        open.chain(std::iter::once((Nfa::START, View { runs: None, start: row, end: row, candidate: None })))
    }

    /// The number of [`Search::offers`].
    pub fn offer_count(&self) -> usize {
        self.threads.len() + 1
    }

    /// Forgets partial matches that can no longer become complete in time, and appends the matches that waited for
    /// them.
    pub fn expire(&mut self, rules: &Rules, time: i64, matches: &mut Vec<Match>) -> Result<(), SkipFault> {
        let Some(within_ms) = rules.within_ms else { return Ok(()) };
        let count = self.threads.len();
        self.threads.retain(|thread| time.saturating_sub(thread.start_time) < within_ms);
        if self.threads.len() < count { self.release(rules, matches) } else { Ok(()) }
    }

    /// Takes a row in. `holds` are those of each of [`Search::offers`].
    pub fn step(
        &mut self,
        rules: &Rules,
        (row, time): (RowNumber, i64),
        holds: &[Holds],
        matches: &mut Vec<Match>,
    ) -> Result<(), SkipFault> {
        let threads = std::mem::take(&mut self.threads);
        let mut stepping = Stepping::new(self, rules, row);
        for (thread, holds) in threads.iter().zip(holds) {
            stepping.offer(thread.start, thread.start_time, thread.place, Some(&thread.runs), *holds);
        }
        if let Some(holds) = holds.last().filter(|_| row >= stepping.search.from) {
            stepping.offer(row, time, Nfa::START, None, *holds);
        }
        self.release(rules, matches)
    }

    /// Puts out the matches that none can come before.
    fn release(&mut self, rules: &Rules, matches: &mut Vec<Match>) -> Result<(), SkipFault> {
        while let Some(first) = self.complete.first()
            && self.threads.first().is_none_or(|thread| thread.start >= first.start)
        {
            let found = self.complete.remove(0);
            self.from = self.from.max(next_start(rules.after, &found)?);
            self.threads.retain(|thread| thread.start >= self.from);
            self.complete.retain(|complete| complete.start >= self.from);
            matches.push(found);
        }
        Ok(())
    }
}

/// Where the search goes on after a match.
fn next_start(after: Skip, found: &Match) -> Result<RowNumber, SkipFault> {
    let rows = |element| {
        let rows = found.view().rows(Some(element));
        if rows.is_empty() { Err(SkipFault::NoSuchRow(element)) } else { Ok(rows) }
    };
    let (row, element) = match after {
        Skip::PastLastRow => return Ok(found.end),
        Skip::ToNextRow => return Ok(found.start + 1),
        Skip::ToFirst(element) => (rows(element)?.start, element),
        Skip::ToLast(element) => (rows(element)?.end - 1, element),
    };
    if row == found.start { Err(SkipFault::FirstRow(element)) } else { Ok(row) }
}

/// One row's way through the partial matches.
struct Stepping<'a> {
    search: &'a mut Search,
    rules: &'a Rules,
    row: RowNumber,
    next: Vec<Place>,
    /// The first row of the match completed last.
    completed: Option<RowNumber>,
    /// Partial matches that began earlier stand for later ones at the same place. Only where a match skips all its
    /// rows, and no complete one may skip the earlier partial match but not the later.
    earlier_suffice: bool,
}

impl<'a> Stepping<'a> {
    fn new(search: &'a mut Search, rules: &'a Rules, row: RowNumber) -> Self {
        let earlier_suffice = rules.forgetful
            && rules.after == Skip::PastLastRow
            && rules.within_ms.is_none()
            && search.complete.is_empty();
        Self { search, rules, row, next: Vec::new(), completed: None, earlier_suffice }
    }

    fn offer(&mut self, start: RowNumber, start_time: i64, place: Place, runs: Option<&Rc<Run>>, holds: Holds) {
        if self.completed == Some(start) {
            return;
        }
        let mut next = std::mem::take(&mut self.next);
        next.clear();
        self.rules.nfa.step(place, holds, &mut next);
        for place in &next {
            if self.rules.nfa.is_complete(*place) {
                self.complete(Match { start, end: self.row + 1, runs: extended(runs, place.element, self.row) });
                break;
            }
            if !self.is_known(start, *place) {
                let runs = extended(runs, place.element, self.row);
                self.search.threads.push(Thread { start, start_time, place: *place, runs });
            }
        }
        self.next = next;
    }

    /// A match ends the search from its first row on: others from there are skipped after it, whatever is skipped to.
    fn complete(&mut self, found: Match) {
        self.completed = Some(found.start);
        while self.search.threads.last().is_some_and(|thread| thread.start == found.start) {
            self.search.threads.pop();
        }
        let place = self.search.complete.partition_point(|complete| complete.start < found.start);
        self.search.complete.insert(place, found);
    }

    /// Whether a preferred partial match stands at this place already, so that this one has no future of its own.
    fn is_known(&self, start: RowNumber, place: Place) -> bool {
        let is_same = |thread: &Thread| thread.place == place && (self.earlier_suffice || thread.start == start);
        let from =
            if self.earlier_suffice { 0 } else { self.search.threads.partition_point(|thread| thread.start < start) };
        self.rules.forgetful && self.search.threads[from..].iter().any(is_same)
    }
}
