//! The first rows of each partition, told as changes at the end of each epoch.
//!
//! If rows only come, those behind the last place are forgotten at once; if they may go, all are kept, for any may move
//! up. So they are where the newest stand first, which is for rows that may go.

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, Int8Array, RecordBatch};
use arrow::compute::filter;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{Changelog, Rank};

use super::changes::{Changes, Updates};
use super::difference::{Telling, difference};
use super::identity::RowFinder;
use super::order::{Order, OrderKey};
use super::partitions::{Partitions, owned_rows, retain, state_rows, state_schema, type_names};
use super::sorted_partitions::{Observer, SortedPartitions};
use super::sorted_rows::SortedRows;
use crate::change::{is_addition, split};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::rows::{RowId, RowStore};

pub struct RankOperator<K> {
    rank: Rank,
    order: Order,
    partitions: Partitions,
    rows: SortedPartitions<K>,
    finder: Option<RowFinder>,
    /// The sort key of each row by its number, if a row that goes does not tell its own.
    keys: Option<Vec<Option<K>>>,
    told: Told,
    telling: Telling,
    changes: Changes,
    updates: Updates,
    schema: SchemaRef,
    state_schema: SchemaRef,
    groups: Vec<u32>,
}

/// What was told of the partitions that have changed since.
struct Told {
    first: usize,
    last: usize,
    is_changed: Vec<bool>,
    /// Partitions, each with its rows' range of `ids`.
    changed: Vec<(u32, usize, usize)>,
    ids: Vec<RowId>,
    /// Rows that are not wanted any more, but may have been told.
    gone: Vec<RowId>,
    /// Rows of this turn and later ones have not been told.
    epoch_turn: u64,
    empty: usize,
}

/// The rows in the places that are told of.
fn visible<K: Ord>(first: usize, last: usize, rows: &SortedRows<K>) -> impl Iterator<Item = RowId> {
    rows.iter().map(|(_, id)| id).skip(first - 1).take(last + 1 - first)
}

impl<K: Ord> Observer<K> for Told {
    fn before_change(&mut self, group: u32, rows: &SortedRows<K>) {
        if !std::mem::replace(&mut self.is_changed[group as usize], true) {
            let start = self.ids.len();
            let visible = visible(self.first, self.last, rows);
            self.ids.extend(visible);
            self.changed.push((group, start, self.ids.len()));
            self.empty -= usize::from(rows.len() == 0);
        }
    }

    fn pushed_out(&mut self, store: &mut RowStore, id: RowId, turn: u64) {
        if turn < self.epoch_turn {
            self.gone.push(id);
        } else {
            store.remove(id);
        }
    }
}

impl<K: OrderKey> RankOperator<K> {
    pub fn new(rank: &Rank, order: Order, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let input = spec.inputs[0];
        let partitions = Partitions::new(&rank.partition, &input.schema, rank.state_ttl_ms, spec.owned)?;
        let told = Told {
            first: usize::try_from(rank.first).unwrap_or(usize::MAX),
            last: usize::try_from(rank.last).unwrap_or(usize::MAX).min(usize::MAX - 1),
            is_changed: Vec::new(),
            changed: Vec::new(),
            ids: Vec::new(),
            gone: Vec::new(),
            epoch_turn: 0,
            empty: 0,
        };
        let finder = (rank.newest_first || !input.changelog.is_append()).then(|| RowFinder::new(input)).transpose()?;
        Ok(Self {
            rank: rank.clone(),
            order,
            partitions,
            rows: SortedPartitions::new(input.schema.clone()),
            finder,
            keys: matches!(input.changelog, Changelog::Upsert { .. }).then(Vec::new),
            told,
            telling: telling(rank, spec),
            changes: Changes::default(),
            updates: Updates::of(spec.node),
            schema: spec.node.batch_schema(),
            state_schema: state_schema(
                &["changed_ms", "turn"],
                input.schema.fields().iter().map(|field| field.as_ref().clone()),
            ),
            groups: Vec::new(),
        })
    }

    fn take_in(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let (columns, kinds) = split(rows);
        let keys = K::encode(&self.order, columns, rows.num_rows())?;
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.resize();
        if self.finder.is_some() {
            return self.take_in_changes(columns, kinds, &keys);
        }
        self.rows.take_in(columns, &keys, &self.groups, self.told.last, &mut self.told)
    }

    fn take_in_changes(
        &mut self,
        columns: &[ArrayRef],
        kinds: Option<&Int8Array>,
        keys: &K::Batch,
    ) -> std::result::Result<(), ArrowError> {
        let Some(finder) = &mut self.finder else { return Ok(()) };
        let groups = &self.groups;
        let is_added: Vec<bool> = (0..groups.len()).map(|row| is_addition(kinds, row)).collect();
        let added = BooleanArray::from(is_added.clone());
        let added: Vec<ArrayRef> =
            columns.iter().map(|column| filter(column, &added)).collect::<std::result::Result<_, _>>()?;
        let mut ids = Vec::new();
        self.rows.store.insert(&added, is_added.iter().filter(|added| **added).count(), &mut ids)?;
        let mut ids = ids.into_iter();
        let identities = finder.identities(columns, groups.len())?;
        for (row, group) in groups.iter().enumerate() {
            let sorted = &mut self.rows.sorted[*group as usize];
            self.told.before_change(*group, sorted);
            let replaces = !is_added[row] || self.keys.is_some();
            // A row that is not known has outlived its time.
            if replaces && let Some((id, turn)) = finder.take(identities[row]) {
                let stored = self.keys.as_mut().and_then(|keys| keys[id as usize].take());
                sorted.remove(&(stored.unwrap_or_else(|| K::of_row(keys, row)), turn));
                self.told.gone.push(id);
            }
            let Some(id) = is_added[row].then(|| ids.next()).flatten() else { continue };
            let (key, turn) = (K::of_row(keys, row), turned(&self.rank, self.rows.next_turn));
            self.rows.next_turn += 1;
            finder.insert(id, identities[row], turn);
            remember(&mut self.keys, id, &key);
            sorted.insert((key, turn), id);
        }
        Ok(())
    }

    fn tell(&mut self, now_ms: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let mut now = Vec::new();
        for (group, start, end) in std::mem::take(&mut self.told.changed) {
            let sorted = &self.rows.sorted[group as usize];
            now.clear();
            now.extend(visible(self.told.first, self.told.last, sorted));
            self.told.empty += usize::from(sorted.len() == 0);
            self.told.is_changed[group as usize] = false;
            // Rows of an upsert stream are found by their key alone, which does not make them equal.
            let finder = self.finder.as_ref().filter(|_| self.keys.is_none());
            let identity = |id: RowId| finder.map_or(u128::from(id), |finder| finder.identity(id));
            difference(self.telling, &self.told.ids[start..end], &now, identity, &mut self.changes);
            self.partitions.set_changed_ms(group, now_ms);
        }
        self.changes.put_out(&self.rows.store, &self.schema, self.updates, output)?;
        self.told.gone.drain(..).for_each(|id| self.rows.store.remove(id));
        self.told.ids.clear();
        self.told.epoch_turn = self.rows.next_turn;
        self.forget(now_ms)
    }

    fn forget(&mut self, now_ms: i64) -> std::result::Result<(), ArrowError> {
        let sorted = &self.rows.sorted;
        let keep = self.partitions.find_kept(now_ms, self.told.empty, |group| sorted[group as usize].len() == 0);
        let Some(keep) = keep else { return Ok(()) };
        for (_, rows) in self.rows.sorted.iter().enumerate().filter(|(group, _)| !keep.value(*group)) {
            for (_, id) in rows.iter() {
                self.rows.store.remove(id);
                self.finder.iter_mut().for_each(|finder| finder.forget(id));
            }
        }
        retain(&mut self.rows.sorted, &keep);
        self.told.is_changed.truncate(self.rows.sorted.len());
        self.told.empty = self.rows.sorted.iter().filter(|rows| rows.len() == 0).count();
        self.partitions.retain(&keep)
    }

    fn resize(&mut self) {
        let count = self.partitions.len();
        self.told.empty += count - self.rows.sorted.len();
        self.rows.sorted.resize_with(count, SortedRows::default);
        self.told.is_changed.resize(count, false);
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let (mut key_groups, mut changed_ms, mut turns, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (group, rows) in self.rows.sorted.iter().enumerate() {
            for ((_, turn), id) in rows.iter() {
                key_groups.push(self.partitions.key_group(group as u32));
                changed_ms.push(self.partitions.changed_ms(group as u32));
                turns.push(*turn as i64);
                ids.push(id);
            }
        }
        state_rows(&self.state_schema, key_groups, vec![changed_ms, turns], self.rows.store.columns(&ids)?)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = owned_rows(rows, self.partitions.owned())?;
        let columns = &rows.columns()[3..];
        let keys = K::encode(&self.order, columns, rows.num_rows())?;
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.resize();
        self.partitions.restore_changed_ms(&self.groups, rows.column(1));
        let identities = self.finder.as_ref().map(|finder| finder.identities(columns, rows.num_rows())).transpose()?;
        let mut ids = Vec::new();
        self.rows.store.insert(columns, rows.num_rows(), &mut ids)?;
        let turns = rows.column(2).as_primitive::<Int64Type>().values();
        for (row, (group, id)) in self.groups.iter().zip(ids).enumerate() {
            let (key, turn) = (K::of_row(&keys, row), turns[row] as u64);
            if let (Some(finder), Some(identities)) = (&mut self.finder, &identities) {
                finder.insert(id, identities[row], turn);
            }
            remember(&mut self.keys, id, &key);
            let sorted = &mut self.rows.sorted[*group as usize];
            self.told.empty -= usize::from(sorted.len() == 0);
            sorted.insert((key, turn), id);
            self.rows.next_turn = self.rows.next_turn.max(turned(&self.rank, turn) + 1);
        }
        self.told.epoch_turn = self.rows.next_turn;
        Ok(())
    }
}

/// By what a row stands among those with its sort key, from its turn in the order of arrival; and the other way round.
fn turned(rank: &Rank, turn: u64) -> u64 {
    if rank.newest_first { u64::MAX - turn } else { turn }
}

fn remember<K: Clone>(keys: &mut Option<Vec<Option<K>>>, id: RowId, key: &K) {
    if let Some(keys) = keys {
        if keys.len() <= id as usize {
            keys.resize(id as usize + 1, None);
        }
        keys[id as usize] = Some(key.clone());
    }
}

fn telling(rank: &Rank, spec: &Spec<'_>) -> Telling {
    let first = rank.first as i64;
    let number_column = spec.inputs[0].schema.fields().len();
    match (&spec.node.changelog, rank.with_number) {
        (_, false) => Telling::Rows,
        (Changelog::Append | Changelog::Retract, true) => Telling::Places { first, before: true },
        (Changelog::Upsert { key }, true) if key.contains(&number_column) => Telling::Places { first, before: false },
        (Changelog::Upsert { .. }, true) => Telling::PlacedRows { first },
    }
}

impl<K: OrderKey> StreamOperator for RankOperator<K> {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        Ok(self.take_in(&rows)?)
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.tell(now_ms, output)?)
    }

    fn holds_rows(&self) -> bool {
        !self.told.changed.is_empty()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        let types = type_names(self.state_schema.fields().iter().map(|field| field.data_type()));
        let Rank { partition, order, first, last, with_number, .. } = &self.rank;
        let newest = if self.rank.newest_first { " newest first" } else { "" };
        Some(format!("rank 1: {partition:?} {order:?} {first}-{last} {with_number}{newest} {types}"))
    }

    fn state_bytes(&self) -> u64 {
        let finder = self.finder.as_ref().map_or(0, RowFinder::bytes);
        (self.partitions.bytes() + self.rows.bytes() + finder) as u64
    }
}
