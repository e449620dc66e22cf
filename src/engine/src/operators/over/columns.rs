//! Aggregates over rows in any order, of rows that may go again.
//!
//! All rows are kept, and the results that were told. At the end of an epoch, each partition that has changed is
//! evaluated anew from the first row on that the changes may concern, and only results that differ are told.

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter, take};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{Change, Changelog, Frame, Over, SortKey};

use super::call::{Call, Rows};
use super::frame::{Line, Scope};
use super::reach::Reach;
use super::told::ToldResults;
use super::{put_out, state};
use crate::change::{is_addition, split};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::rank::changes::Updates;
use crate::operators::rank::identity::RowFinder;
use crate::operators::rank::order::{Number, Order, OrderKey, as_integers};
use crate::operators::rank::partitions::{Partitions, owned_rows, retain, state_rows, state_schema};
use crate::operators::rank::sorted_rows::{Place, SortedRows};
use crate::operators::rank::time::check_time_column;
use crate::operators::{Built, Spec};
use crate::rows::{RowId, RowStore};

/// The operator for an order of columns.
pub(super) fn build(over: &Over, order: &[SortKey], calls: Vec<Call>, needed: Vec<usize>, spec: &Spec<'_>) -> Built {
    let input = spec.inputs[0];
    if matches!(input.changelog, Changelog::Upsert { .. }) {
        return Err("an upsert stream has to be normalized before it".to_string());
    }
    if spec.node.changelog.is_append() {
        return Err("results change as rows come, so that its output has changes".to_string());
    }
    let time_column = match (over.frame, order) {
        (Frame::Range { preceding_ms: Some(_) }, [key]) if !key.descending => {
            check_time_column(&input.schema, key.column)?;
            // NULL is in the frame of NULL only.
            Some((key.column, if key.nulls_first { i64::MIN } else { i64::MAX }))
        }
        (Frame::Range { preceding_ms: Some(_) }, _) => {
            return Err("a frame of some time needs one ascending time to order by".to_string());
        }
        (Frame::Range { preceding_ms: None } | Frame::Rows { .. }, _) => None,
    };
    let order = Order::new(order, &input.schema)?;
    let parts = Parts { over, order, calls, needed, time_column };
    match parts.order.is_number() {
        true => Ok(Box::new(ColumnsOver::<Number>::new(parts, spec)?)),
        false => Ok(Box::new(ColumnsOver::<Box<[u8]>>::new(parts, spec)?)),
    }
}

struct Parts<'a> {
    over: &'a Over,
    order: Order,
    calls: Vec<Call>,
    needed: Vec<usize>,
    time_column: Option<(usize, i64)>,
}

struct ColumnsOver<K> {
    over: Over,
    order: Order,
    calls: Vec<Call>,
    /// Input columns that calls need.
    needed: Vec<usize>,
    /// The column that frames of some time go by, and what stands for NULL.
    time_column: Option<(usize, i64)>,
    partitions: Partitions,
    sorted: Vec<SortedRows<K>>,
    rows: RowStore,
    next_turn: u64,
    finder: Option<RowFinder>,
    told: ToldResults,
    reach: Reach,
    /// Partitions that have changed, and from which place to which.
    changed: Vec<u32>,
    concerned: Vec<Option<(Place<K>, Place<K>)>>,
    gone: Vec<RowId>,
    empty: usize,
    updates: Updates,
    schema: SchemaRef,
    state_schema: SchemaRef,
    groups: Vec<u32>,
}

/// Rows with the numbers of their told results, or the places of their new ones.
#[derive(Default)]
struct Told {
    rows: Vec<RowId>,
    results: Vec<u32>,
    kinds: Vec<i8>,
}

impl Told {
    fn push(&mut self, row: RowId, result: u32, change: Change) {
        self.rows.push(row);
        self.results.push(result);
        self.kinds.push(change as i8);
    }
}

impl<K: OrderKey> ColumnsOver<K> {
    fn new(parts: Parts<'_>, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let (input, over) = (spec.inputs[0], parts.over);
        let all = &spec.node.schema;
        let results = Schema::new(all.fields()[input.schema.fields().len()..].to_vec());
        let columns = all.fields().iter().map(|field| field.as_ref().clone());
        Ok(Self {
            over: over.clone(),
            order: parts.order,
            reach: Reach::new(over.frame, &parts.calls),
            calls: parts.calls,
            needed: parts.needed,
            time_column: parts.time_column,
            partitions: Partitions::new(&over.partition, &input.schema, over.state_ttl_ms, spec.owned)?,
            sorted: Vec::new(),
            rows: RowStore::new(input.schema.clone()),
            next_turn: 0,
            finder: (!input.changelog.is_append()).then(|| RowFinder::new(input)).transpose()?,
            told: ToldResults::new(results.into()),
            changed: Vec::new(),
            concerned: Vec::new(),
            gone: Vec::new(),
            empty: 0,
            updates: Updates::of(spec.node),
            schema: spec.node.batch_schema(),
            state_schema: state_schema(&["changed_ms", "turn"], columns),
            groups: Vec::new(),
        })
    }

    fn take_in(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let (columns, kinds) = split(rows);
        let keys = K::encode(&self.order, columns, rows.num_rows())?;
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.resize();
        let is_added: Vec<bool> = (0..rows.num_rows()).map(|row| is_addition(kinds, row)).collect();
        let mut ids = self.store_added(columns, &is_added)?.into_iter();
        let finder = self.finder.as_ref();
        let identities = finder.map(|finder| finder.identities(columns, rows.num_rows())).transpose()?;
        for (row, group) in self.groups.iter().enumerate() {
            let sorted = &mut self.sorted[*group as usize];
            let identity = identities.as_ref().map_or(0, |identities| identities[row]);
            let key = K::of_row(&keys, row);
            let place = if is_added[row] {
                let Some(id) = ids.next() else { continue };
                let place = (key, self.next_turn);
                self.next_turn += 1;
                self.finder.iter_mut().for_each(|finder| finder.insert(id, identity, place.1));
                self.empty -= usize::from(sorted.len() == 0);
                sorted.insert(place.clone(), id);
                place
            } else {
                // A row that is not known has outlived its time.
                let found = self.finder.as_mut().and_then(|finder| finder.take(identity));
                let Some((id, turn)) = found else { continue };
                let place = (key, turn);
                sorted.remove(&place);
                self.empty += usize::from(sorted.len() == 0);
                self.gone.push(id);
                place
            };
            let concerned = &mut self.concerned[*group as usize];
            if concerned.is_none() {
                self.changed.push(*group);
            }
            widen(concerned, place);
        }
        Ok(())
    }

    fn store_added(&mut self, columns: &[ArrayRef], is_added: &[bool]) -> std::result::Result<Vec<RowId>, ArrowError> {
        let count = is_added.iter().filter(|added| **added).count();
        let mut ids = Vec::with_capacity(count);
        if count == is_added.len() {
            self.rows.insert(columns, count, &mut ids)?;
        } else {
            let added = BooleanArray::from(is_added.to_vec());
            let columns: Vec<ArrayRef> =
                columns.iter().map(|column| filter(column, &added)).collect::<std::result::Result<_, _>>()?;
            self.rows.insert(&columns, count, &mut ids)?;
        }
        self.told.resize(self.rows.capacity());
        Ok(ids)
    }

    fn resize(&mut self) {
        let count = self.partitions.len();
        self.empty += count - self.sorted.len();
        self.sorted.resize_with(count, SortedRows::default);
        self.concerned.resize_with(count, || None);
    }

    fn tell(&mut self, now_ms: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let (mut before, mut after) = (Told::default(), Told::default());
        for id in &self.gone {
            if let Some(result) = self.told.of_row(*id) {
                before.push(*id, result, Change::Delete);
            }
        }
        let changed = std::mem::take(&mut self.changed);
        let mut line = Vec::new();
        let mut evaluated = Vec::new();
        let results = match changed.is_empty() {
            true => Vec::new(),
            false => self.evaluate(&changed, &mut line, &mut evaluated)?,
        };
        let is_same = self.told.are_told(&evaluated, &results)?;
        for (place, id) in evaluated.iter().enumerate() {
            match self.told.of_row(*id) {
                None => after.push(*id, place as u32, Change::Insert),
                Some(_) if is_same[place] => {}
                Some(result) => {
                    before.push(*id, result, Change::UpdateBefore);
                    after.push(*id, place as u32, Change::UpdateAfter);
                }
            }
        }
        self.put_out_before(&before, output)?;
        let places = UInt32Array::from(std::mem::take(&mut after.results));
        let results: Vec<ArrayRef> =
            results.iter().map(|result| take(result, &places, None)).collect::<std::result::Result<_, _>>()?;
        put_out(&self.rows, &after.rows, &results, Some(&after.kinds), &self.schema, output)?;
        before.results.iter().for_each(|result| self.told.results.remove(*result));
        self.told.insert(&after.rows, &results)?;
        for id in self.gone.drain(..) {
            self.told.unlink(id);
            self.rows.remove(id);
        }
        for group in changed {
            self.concerned[group as usize] = None;
            self.partitions.set_changed_ms(group, now_ms);
        }
        self.forget(now_ms)
    }

    fn put_out_before(&self, before: &Told, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let is_told = |kind: i8| self.updates == Updates::Full || kind == Change::Delete as i8;
        let chosen: Vec<usize> = (0..before.rows.len()).filter(|place| is_told(before.kinds[*place])).collect();
        let rows: Vec<RowId> = chosen.iter().map(|place| before.rows[*place]).collect();
        let results: Vec<RowId> = chosen.iter().map(|place| before.results[*place]).collect();
        let kinds: Vec<i8> = chosen.iter().map(|place| before.kinds[*place]).collect();
        put_out(&self.rows, &rows, &self.told.results.columns(&results)?, Some(&kinds), &self.schema, output)
    }

    /// The new results of the rows that the changes concern. Puts them into `evaluated`, and all that have to be looked at
    /// into `line`.
    fn evaluate(
        &mut self,
        changed: &[u32],
        line: &mut Vec<RowId>,
        evaluated: &mut Vec<RowId>,
    ) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
        let mut stretches = Vec::with_capacity(changed.len());
        let mut is_peer = Vec::new();
        for group in changed {
            let Some(concerned) = &self.concerned[*group as usize] else { continue };
            let partition = (*group, &self.sorted[*group as usize]);
            let stretch = self.reach.stretch(partition, concerned, line, &mut is_peer);
            evaluated.extend_from_slice(&line[stretch.from..stretch.end]);
            stretches.push(stretch);
        }
        let times: Vec<i64> = match self.time_column {
            Some((column, null)) => {
                let times = as_integers(&self.rows.column(column, line)?)?;
                times.as_primitive::<Int64Type>().iter().map(|time| time.unwrap_or(null)).collect()
            }
            None => Vec::new(),
        };
        let scope = Scope::new(self.over.frame, stretches, &Line { times: &times, is_peer: &is_peer });
        let columns: Vec<ArrayRef> =
            self.needed.iter().map(|column| self.rows.column(*column, line)).collect::<std::result::Result<_, _>>()?;
        let is_unbounded =
            matches!(self.over.frame, Frame::Rows { preceding: None } | Frame::Range { preceding_ms: None });
        let rows = Rows { scope: &scope, columns: &columns, rows: line.len(), is_unbounded, is_carried: false };
        let mut retained = vec![false; line.len()];
        self.calls.iter_mut().map(|call| call.evaluate(&rows, &mut retained)).collect()
    }

    fn forget(&mut self, now_ms: i64) -> std::result::Result<(), ArrowError> {
        let sorted = &self.sorted;
        let keep = self.partitions.find_kept(now_ms, self.empty, |group| sorted[group as usize].len() == 0);
        let Some(keep) = keep else { return Ok(()) };
        for (_, rows) in self.sorted.iter().enumerate().filter(|(group, _)| !keep.value(*group)) {
            for (_, id) in rows.iter() {
                self.rows.remove(id);
                self.told.forget(id);
                self.finder.iter_mut().for_each(|finder| finder.forget(id));
            }
        }
        retain(&mut self.sorted, &keep);
        retain(&mut self.concerned, &keep);
        self.empty = self.sorted.iter().filter(|rows| rows.len() == 0).count();
        self.partitions.retain(&keep)
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let (mut key_groups, mut changed_ms, mut turns, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (group, rows) in self.sorted.iter().enumerate() {
            for ((_, turn), id) in rows.iter() {
                key_groups.push(self.partitions.key_group(group as u32));
                changed_ms.push(self.partitions.changed_ms(group as u32));
                turns.push(*turn as i64);
                ids.push(id);
            }
        }
        let results: Vec<RowId> = ids.iter().filter_map(|id| self.told.of_row(*id)).collect();
        let mut columns = self.rows.columns(&ids)?;
        columns.extend(self.told.results.columns(&results)?);
        state_rows(&self.state_schema, key_groups, vec![changed_ms, turns], columns)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = owned_rows(rows, self.partitions.owned())?;
        let (columns, results) = rows.columns()[3..].split_at(self.rows.schema().fields().len());
        let keys = K::encode(&self.order, columns, rows.num_rows())?;
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.resize();
        self.partitions.restore_changed_ms(&self.groups, rows.column(1));
        let finder = self.finder.as_ref();
        let identities = finder.map(|finder| finder.identities(columns, rows.num_rows())).transpose()?;
        let ids = self.store_added(columns, &vec![true; rows.num_rows()])?;
        self.told.insert(&ids, results)?;
        let turns = rows.column(2).as_primitive::<Int64Type>().values();
        for (row, id) in ids.into_iter().enumerate() {
            let (key, turn) = (K::of_row(&keys, row), turns[row] as u64);
            if let (Some(finder), Some(identities)) = (&mut self.finder, &identities) {
                finder.insert(id, identities[row], turn);
            }
            let sorted = &mut self.sorted[self.groups[row] as usize];
            self.empty -= usize::from(sorted.len() == 0);
            sorted.insert((key, turn), id);
            self.next_turn = self.next_turn.max(turn + 1);
        }
        Ok(())
    }
}

/// Makes the range reach to this place.
fn widen<K: Ord + Clone>(range: &mut Option<(Place<K>, Place<K>)>, place: Place<K>) {
    match range {
        None => *range = Some((place.clone(), place)),
        Some((first, _)) if place < *first => *first = place,
        Some((_, last)) if place > *last => *last = place,
        Some(_) => {}
    }
}

impl<K: OrderKey> StreamOperator for ColumnsOver<K> {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        Ok(self.take_in(&rows)?)
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.tell(now_ms, output)?)
    }

    fn holds_rows(&self) -> bool {
        !self.changed.is_empty()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        Some(state::layout(&self.over, &self.state_schema))
    }

    fn state_bytes(&self) -> u64 {
        let sorted: usize = self.sorted.iter().map(|rows| size_of_val(rows) + rows.bytes()).sum();
        let finder = self.finder.as_ref().map_or(0, RowFinder::bytes);
        let stores = self.rows.bytes() + self.told.bytes();
        (self.partitions.bytes() + sorted + finder + stores) as u64
    }
}
