//! Which rows a match has taken for which element.
//!
//! A match takes rows without gaps, so its rows are a range of the partition's, and it is told by where each element's
//! run begins. Partial matches that began alike share the runs they have in common.

use std::ops::Range;
use std::rc::Rc;

/// A row's number within its partition.
pub type RowNumber = u64;

/// The rows taken for an element: from `first` to where the next run begins.
#[derive(Debug)]
pub struct Run {
    element: usize,
    first: RowNumber,
    previous: Option<Rc<Run>>,
}

/// The runs of a match that has taken a row for `element` behind `runs`.
pub fn extended(runs: Option<&Rc<Run>>, element: usize, row: RowNumber) -> Rc<Run> {
    match runs {
        Some(runs) if runs.element == element => Rc::clone(runs),
        _ => Rc::new(Run { element, first: row, previous: runs.cloned() }),
    }
}

/// The rows of a match, as an expression sees them.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// None before the first row.
    pub runs: Option<&'a Run>,
    pub start: RowNumber,
    /// The row behind the last one taken.
    pub end: RowNumber,
    /// The element that the row at `end` is looked at for; it counts as taken for it.
    pub candidate: Option<usize>,
}

impl View<'_> {
    /// The rows taken for an element, or for any.
    pub fn rows(&self, element: Option<usize>) -> Range<RowNumber> {
        let end = self.end + RowNumber::from(self.candidate.is_some());
        let Some(element) = element else { return self.start..end };
        if self.candidate != Some(element) {
            return self.taken(element);
        }
        match self.runs {
            Some(run) if run.element == element => run.first..end,
            _ => self.end..end,
        }
    }

    fn taken(&self, element: usize) -> Range<RowNumber> {
        let (mut end, mut next) = (self.end, self.runs);
        while let Some(run) = next {
            if run.element == element {
                return run.first..end;
            }
            (end, next) = (run.first, run.previous.as_deref());
        }
        0..0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_next_begins() {
        let a = extended(None, 0, 5);
        let b = extended(Some(&extended(Some(&a), 0, 6)), 2, 7);
        let view = View { runs: Some(&b), start: 5, end: 10, candidate: None };
        assert_eq!([view.rows(Some(0)), view.rows(Some(1)), view.rows(Some(2))], [5..7, 0..0, 7..10]);
        assert_eq!(view.rows(None), 5..10);
    }

    #[test]
    fn the_row_looked_at_counts_as_taken() {
        let a = extended(None, 0, 5);
        let view = |candidate| View { runs: Some(&a), start: 5, end: 7, candidate: Some(candidate) };
        assert_eq!([view(0).rows(Some(0)), view(0).rows(Some(1)), view(0).rows(None)], [5..8, 0..0, 5..8]);
        assert_eq!([view(1).rows(Some(0)), view(1).rows(Some(1)), view(1).rows(None)], [5..7, 7..8, 5..8]);
        let before = View { runs: None, start: 7, end: 7, candidate: Some(0) };
        assert_eq!([before.rows(Some(0)), before.rows(None)], [7..8, 7..8]);
    }
}
