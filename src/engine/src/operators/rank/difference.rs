//! The difference between the rows of a partition that were told and those that are in their place now. Pure.
//!
//! All that is taken back comes before all that comes new, so that whoever goes by the rows' own keys never deletes what
//! has just come.

use std::collections::HashMap;

use tidemill_plan::Change;

use super::changes::Changes;
use crate::rows::RowId;

/// Rows that are compared one by one.
const FEW: usize = 16;

/// How a partition's rows are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Rows without their place.
    Rows,
    /// A row for each place, counted from `first`; whether what was there before is told.
    Places { first: i64, before: bool },
    /// Rows with their place, known by something else than the place, and without what was there before.
    PlacedRows { first: i64 },
}

/// Puts the changes from `told` to `now` into `changes`. Rows with the same `identity` are equal in all columns.
pub fn difference(
    telling: Telling,
    told: &[RowId],
    now: &[RowId],
    identity: impl Fn(RowId) -> u128,
    changes: &mut Changes,
) {
    if told == now {
        return;
    }
    match telling {
        Telling::Rows => {
            without(told, now, &identity, |_, id| changes.push(id, Change::Delete));
            without(now, told, &identity, |_, id| changes.push(id, Change::Insert));
        }
        Telling::Places { first, before } => by_place(told, now, (first, before), &identity, changes),
        Telling::PlacedRows { first } => {
            let number = |place: usize| first + place as i64;
            without(told, now, &identity, |place, id| changes.push_numbered(id, number(place), Change::Delete));
            for (place, id) in now.iter().enumerate() {
                if told.get(place).is_none_or(|old| identity(*old) != identity(*id)) {
                    changes.push_numbered(*id, number(place), Change::UpdateAfter);
                }
            }
        }
    }
}

fn by_place(
    told: &[RowId],
    now: &[RowId],
    (first, before): (i64, bool),
    identity: &impl Fn(RowId) -> u128,
    changes: &mut Changes,
) {
    let is_same = |place: usize| match (told.get(place), now.get(place)) {
        (Some(old), Some(new)) => old == new || identity(*old) == identity(*new),
        (None, _) | (_, None) => false,
    };
    for (place, id) in told.iter().enumerate().filter(|(place, _)| !is_same(*place)) {
        match place < now.len() {
            true if before => changes.push_numbered(*id, first + place as i64, Change::UpdateBefore),
            true => {}
            false => changes.push_numbered(*id, first + place as i64, Change::Delete),
        }
    }
    for (place, id) in now.iter().enumerate().filter(|(place, _)| !is_same(*place)) {
        let change = if place < told.len() { Change::UpdateAfter } else { Change::Insert };
        changes.push_numbered(*id, first + place as i64, change);
    }
}

/// The rows of `these` that are not among `others`, equal ones as often as they are more.
fn without(these: &[RowId], others: &[RowId], identity: &impl Fn(RowId) -> u128, mut each: impl FnMut(usize, RowId)) {
    if others.len() <= FEW {
        let mut is_used = [false; FEW];
        for (place, id) in these.iter().enumerate() {
            let is_equal = |other: &usize| !is_used[*other] && identity(others[*other]) == identity(*id);
            match (0..others.len()).find(is_equal) {
                Some(other) => is_used[other] = true,
                None => each(place, *id),
            }
        }
        return;
    }
    let mut counts: HashMap<u128, usize> = HashMap::with_capacity(others.len());
    for id in others {
        *counts.entry(identity(*id)).or_default() += 1;
    }
    for (place, id) in these.iter().enumerate() {
        match counts.get_mut(&identity(*id)) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) | None => each(place, *id),
        }
    }
}
