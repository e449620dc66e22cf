//! Aggregation over frames that move forward, without ever taking a value out of an aggregate: floating-point sums do
//! not drift, and nothing needs an inverse.
//!
//! A frame is aggregated in two halves. Of the first, the aggregates of all its ends are known; the second only grows.
//! When the frame has left the first half behind, the second becomes the first: each row is taken in twice at most.

use super::frame::{Scope, Stretch};

/// How rows are aggregated, named by their places in the line.
pub trait Fold {
    type State: Copy + Default;

    /// Takes a row in that comes after those of the state.
    fn add(&self, state: &mut Self::State, row: usize);

    /// The aggregate of the rows of both, of which the second's come later.
    fn merge(&self, earlier: &Self::State, later: &Self::State) -> Self::State;
}

/// The aggregate of each frame of the scope, over the rows that are `counted`.
pub fn slide<F: Fold>(fold: &F, scope: &Scope, counted: &[bool]) -> Vec<F::State> {
    let mut results = Vec::with_capacity(scope.len());
    let mut frames = scope.frames.iter();
    let mut front: Vec<F::State> = Vec::new();
    for stretch in &scope.stretches {
        // Rows from `first_known` to before `middle` are in the front, the later ones to before `next` in the back.
        let (mut first_known, mut middle, mut next) = (stretch.start, stretch.start, stretch.start);
        let mut back = F::State::default();
        let mut is_started = false;
        for (first, end) in frames.by_ref().take(stretch.end - stretch.from) {
            if !is_started {
                (first_known, middle, next, is_started) = (*first, *first, *first, true);
            }
            (next..*end).filter(|row| counted[*row]).for_each(|row| fold.add(&mut back, row));
            next = next.max(*end);
            if *first > middle {
                turn_over(fold, (*first, next), counted, &mut front);
                (first_known, middle) = (*first, next);
                back = F::State::default();
            }
            results.push(if *first < middle { fold.merge(&front[*first - first_known], &back) } else { back });
        }
    }
    results
}

/// Makes the front of the rows from `first` to before `end`: for each, the aggregate from it on.
fn turn_over<F: Fold>(fold: &F, (first, end): (usize, usize), counted: &[bool], front: &mut Vec<F::State>) {
    front.clear();
    front.resize(end - first, F::State::default());
    let mut rest = F::State::default();
    for row in (first..end).rev() {
        if counted[row] {
            let mut state = F::State::default();
            fold.add(&mut state, row);
            rest = fold.merge(&state, &rest);
        }
        front[row - first] = rest;
    }
}

/// The aggregate of each frame, where frames begin with the partition and `carried` has the aggregates, by partition, of
/// all rows before those to be evaluated. They are brought up to date.
pub fn grow<F: Fold>(fold: &F, scope: &Scope, counted: &[bool], carried: &mut [F::State]) -> Vec<F::State> {
    let mut results = Vec::with_capacity(scope.len());
    let mut frames = scope.frames.iter();
    for Stretch { group, from, end, .. } in &scope.stretches {
        let state = &mut carried[*group as usize];
        let mut next = *from;
        for (_, frame_end) in frames.by_ref().take(end - from) {
            (next..*frame_end).filter(|row| counted[*row]).for_each(|row| fold.add(state, row));
            next = next.max(*frame_end);
            results.push(*state);
        }
    }
    results
}

/// The aggregate of each frame, over the rows of which the one before with the same value, in `former`, is not in it.
pub fn distinct<F: Fold>(fold: &F, scope: &Scope, counted: &[bool], former: &[Option<usize>]) -> Vec<F::State> {
    let of_frame = |(first, end): &(usize, usize)| {
        let mut state = F::State::default();
        let is_first = |row: &usize| counted[*row] && former[*row].is_none_or(|former| former < *first);
        (*first..*end).filter(is_first).for_each(|row| fold.add(&mut state, row));
        state
    };
    scope.frames.iter().map(of_frame).collect()
}
