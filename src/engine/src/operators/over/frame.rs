//! Which rows are in the frame of each row. Pure.
//!
//! The rows of all partitions that are looked at stand in one line, partition by partition, each in its order. A
//! [`Stretch`] is a partition's part of it.

use tidemill_plan::Frame;

/// A partition's rows in the line: from `start`, of which those from `from` to before `end` are to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub group: u32,
    pub start: usize,
    pub from: usize,
    pub end: usize,
}

/// Stretches, and the frame `(first, end)` of each row to be evaluated, one after the other.
pub struct Scope {
    pub stretches: Vec<Stretch>,
    pub frames: Vec<(usize, usize)>,
}

/// What rows of the line are compared by.
pub struct Line<'a> {
    /// Only for frames of some milliseconds.
    pub times: &'a [i64],
    /// Whether a row stands where the row before it does; only for frames of times.
    pub is_peer: &'a [bool],
}

impl Scope {
    pub fn new(frame: Frame, stretches: Vec<Stretch>, line: &Line<'_>) -> Self {
        let mut frames = Vec::with_capacity(stretches.iter().map(|stretch| stretch.end - stretch.from).sum());
        for stretch in &stretches {
            match frame {
                Frame::Rows { preceding } => rows(stretch, preceding, &mut frames),
                Frame::Range { preceding_ms } => range(stretch, preceding_ms, line, &mut frames),
            }
        }
        Self { stretches, frames }
    }

    /// Rows to be evaluated.
    pub fn len(&self) -> usize {
        self.frames.len()
    }
}

fn rows(stretch: &Stretch, preceding: Option<u64>, frames: &mut Vec<(usize, usize)>) {
    let preceding = preceding.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    frames.extend((stretch.from..stretch.end).map(|row| (row.saturating_sub(preceding).max(stretch.start), row + 1)));
}

fn range(stretch: &Stretch, preceding_ms: Option<i64>, line: &Line<'_>, frames: &mut Vec<(usize, usize)>) {
    let (mut first, mut end) = (stretch.start, stretch.from);
    for row in stretch.from..stretch.end {
        if end <= row {
            end = row + 1;
            while end < stretch.end && line.is_peer[end] {
                end += 1;
            }
        }
        if let Some(preceding_ms) = preceding_ms {
            let earliest = line.times[row].saturating_sub(preceding_ms);
            while line.times[first] < earliest {
                first += 1;
            }
        }
        frames.push((first, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frame: Frame, expected: &[(usize, usize)]) {
        let times = [0, 10, 10, 30, 5, 5];
        let is_peer = [false, false, true, false, false, true];
        let stretches =
            vec![Stretch { group: 0, start: 0, from: 1, end: 4 }, Stretch { group: 1, start: 4, from: 4, end: 6 }];
        let scope = Scope::new(frame, stretches, &Line { times: &times, is_peer: &is_peer });
        assert_eq!(scope.frames, expected);
    }

    #[test]
    fn frames_of_rows_end_with_the_row_itself() {
        check(Frame::Rows { preceding: Some(1) }, &[(0, 2), (1, 3), (2, 4), (4, 5), (4, 6)]);
        check(Frame::Rows { preceding: None }, &[(0, 2), (0, 3), (0, 4), (4, 5), (4, 6)]);
    }

    #[test]
    fn frames_of_times_end_with_the_last_row_of_the_same_time() {
        check(Frame::Range { preceding_ms: Some(10) }, &[(0, 3), (0, 3), (3, 4), (4, 6), (4, 6)]);
        check(Frame::Range { preceding_ms: Some(20) }, &[(0, 3), (0, 3), (1, 4), (4, 6), (4, 6)]);
        check(Frame::Range { preceding_ms: None }, &[(0, 3), (0, 3), (0, 4), (4, 6), (4, 6)]);
    }
}
