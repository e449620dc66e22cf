//! What is kept of rows that have been put out, because frames of later rows may reach them.

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::frame::Stretch;
use crate::operators::rank::partitions::retain;
use crate::rows::{RowId, RowStore};

/// The rows to be looked at; see [`super::frame`].
#[derive(Default)]
pub(super) struct OwnedLine {
    pub stretches: Vec<Stretch>,
    pub times: Vec<i64>,
    pub is_peer: Vec<bool>,
    pub columns: Vec<ArrayRef>,
}

impl OwnedLine {
    pub fn push(&mut self, time: i64, start: usize) {
        self.is_peer.push(self.times.len() > start && self.times.last() == Some(&time));
        self.times.push(time);
    }
}

/// What later frames may reach.
pub(super) struct Wanted {
    /// So many of the last rows in any case.
    pub rows: usize,
    pub times: Times,
}

pub(super) enum Times {
    None,
    From(i64),
    /// Times less than this before the last.
    BeforeLast(i64),
}

impl Wanted {
    /// The first of the stretch's rows from which on all are wanted.
    fn first(&self, stretch: &Stretch, times: &[i64]) -> usize {
        let of_stretch = &times[stretch.start..stretch.end];
        let from = |least: i64| stretch.start + of_stretch.partition_point(|time| *time < least);
        let by_times = match self.times {
            Times::None => stretch.end,
            Times::From(least) => from(least),
            Times::BeforeLast(distance) => from(times[stretch.end - 1].saturating_sub(distance)),
        };
        by_times.min(stretch.end.saturating_sub(self.rows).max(stretch.start))
    }
}

pub(super) struct History {
    pub store: RowStore,
    /// Each partition's rows with their times, in order.
    rows: Vec<Vec<(i64, RowId)>>,
}

impl History {
    pub fn new(schema: SchemaRef) -> Self {
        Self { store: RowStore::new(schema), rows: Vec::new() }
    }

    pub fn resize(&mut self, groups: usize) {
        self.rows.resize_with(groups, Vec::new);
    }

    /// A partition's rows with their times, in order.
    pub fn of(&self, group: u32) -> &[(i64, RowId)] {
        &self.rows[group as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Vec<(i64, RowId)>> {
        self.rows.iter()
    }

    /// Appends a row that is in the store.
    pub fn push(&mut self, group: u32, time: i64, id: RowId) {
        self.rows[group as usize].push((time, id));
    }

    /// Keeps, of the line's rows, those that are wanted or needed for something else.
    pub fn renew(
        &mut self,
        line: &OwnedLine,
        is_needed: impl Fn(usize) -> bool,
        wanted: &Wanted,
    ) -> Result<(), ArrowError> {
        let (mut places, mut groups) = (Vec::new(), Vec::new());
        for stretch in &line.stretches {
            let first = wanted.first(stretch, &line.times);
            let is_kept = |place: usize| place >= first || is_needed(place);
            let rows = &mut self.rows[stretch.group as usize];
            let mut place = stretch.start;
            rows.retain(|(_, id)| {
                place += 1;
                let is_kept = is_kept(place - 1);
                if !is_kept {
                    self.store.remove(*id);
                }
                is_kept
            });
            for place in (stretch.from..stretch.end).filter(|place| is_kept(*place)) {
                places.push(place as u32);
                groups.push(stretch.group);
            }
        }
        let places = UInt32Array::from(places);
        let columns: Vec<ArrayRef> =
            line.columns.iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?;
        let mut ids = Vec::with_capacity(places.len());
        self.store.insert(&columns, places.len(), &mut ids)?;
        for ((place, group), id) in places.values().iter().zip(groups).zip(ids) {
            self.push(group, line.times[*place as usize], id);
        }
        Ok(())
    }

    /// Forgets rows before this time. Returns how many partitions have none left.
    pub fn forget_before(&mut self, least: i64) -> usize {
        for rows in &mut self.rows {
            let gone = rows.partition_point(|(time, _)| *time < least);
            rows.drain(..gone).for_each(|(_, id)| self.store.remove(id));
        }
        self.rows.iter().filter(|rows| rows.is_empty()).count()
    }

    /// Forgets partitions.
    pub fn retain(&mut self, keep: &BooleanArray) {
        for (_, rows) in self.rows.iter_mut().enumerate().filter(|(group, _)| !keep.value(*group)) {
            rows.drain(..).for_each(|(_, id)| self.store.remove(id));
        }
        retain(&mut self.rows, keep);
    }

    pub fn bytes(&self) -> usize {
        let rows: usize = self.rows.iter().map(|rows| size_of_val(rows) + rows.capacity() * 16).sum();
        self.store.bytes() + rows
    }
}
