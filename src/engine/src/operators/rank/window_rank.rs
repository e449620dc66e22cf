//! The first rows of each partition of a window, put out once when the window is over.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Change, Rank};

use super::changes::{Changes, Updates};
use super::order::{Order, OrderKey};
use super::partitions::{Partitions, owned_rows, state_rows, state_schema, type_names};
use super::sorted_partitions::{Observer, SortedPartitions};
use super::sorted_rows::SortedRows;
use super::time::{check_time_column, event_times};
use crate::element::{Element, Watermark};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::rows::{RowId, RowStore};

pub struct WindowRankOperator<K> {
    uid: String,
    rank: Rank,
    window_end: usize,
    order: Order,
    input: SchemaRef,
    owned: KeyGroupRange,
    /// By the windows' ends.
    windows: BTreeMap<i64, Window<K>>,
    watermark: i64,
    late_rows: u64,
    schema: SchemaRef,
    state_schema: SchemaRef,
}

struct Window<K> {
    partitions: Partitions,
    rows: SortedPartitions<K>,
}

/// Nothing is told before the end, so that what is pushed out can be forgotten at once.
struct Nobody;

impl<K> Observer<K> for Nobody {
    fn before_change(&mut self, _group: u32, _rows: &SortedRows<K>) {}

    fn pushed_out(&mut self, store: &mut RowStore, id: RowId, _turn: u64) {
        store.remove(id);
    }
}

impl<K: OrderKey> WindowRankOperator<K> {
    pub fn new(rank: &Rank, window_end: usize, order: Order, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let input = spec.inputs[0];
        if !input.changelog.is_append() || !spec.node.changelog.is_append() {
            return Err("the first rows of a window neither take nor make changes".to_string());
        }
        check_time_column(&input.schema, window_end)?;
        Partitions::new(&rank.partition, &input.schema, None, spec.owned)?;
        let columns = input.schema.fields().iter().map(|field| field.as_ref().clone());
        Ok(Self {
            uid: spec.node.uid.clone(),
            rank: rank.clone(),
            window_end,
            order,
            input: input.schema.clone(),
            owned: spec.owned,
            windows: BTreeMap::new(),
            watermark: i64::MIN,
            late_rows: 0,
            schema: spec.node.batch_schema(),
            state_schema: state_schema(&[], columns),
        })
    }

    /// Takes rows in, each into its window; those of windows that are over are dropped.
    fn take_in(&mut self, rows: &RecordBatch, ends: &[i64]) -> std::result::Result<(), ArrowError> {
        let Some(first) = ends.first() else { return Ok(()) };
        if ends.iter().all(|end| end == first) {
            return self.take_into_window(*first, rows);
        }
        let mut by_end: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, end) in ends.iter().enumerate() {
            by_end.entry(*end).or_default().push(row as u32);
        }
        for (end, places) in by_end {
            self.take_into_window(end, &take_record_batch(rows, &UInt32Array::from(places))?)?;
        }
        Ok(())
    }

    fn take_into_window(&mut self, end: i64, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        if end - 1 <= self.watermark {
            self.late_rows += rows.num_rows() as u64;
            return Ok(());
        }
        if !self.windows.contains_key(&end) {
            let partitions = Partitions::new(&self.rank.partition, &self.input, None, self.owned)
                .map_err(ArrowError::ComputeError)?;
            self.windows.insert(end, Window { partitions, rows: SortedPartitions::new(self.input.clone()) });
        }
        let Some(window) = self.windows.get_mut(&end) else { return Ok(()) };
        let mut groups = Vec::new();
        window.partitions.intern(rows.columns(), rows.num_rows(), &mut groups)?;
        window.rows.sorted.resize_with(window.partitions.len(), SortedRows::default);
        let keys = K::encode(&self.order, rows.columns(), rows.num_rows())?;
        let last = usize::try_from(self.rank.last).unwrap_or(usize::MAX);
        window.rows.take_in(rows.columns(), &keys, &groups, last, &mut Nobody)
    }

    fn close_windows(&mut self, watermark: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        self.watermark = watermark;
        let mut changes = Changes::default();
        while let Some(entry) = self.windows.first_entry().filter(|window| *window.key() - 1 <= watermark) {
            let window = entry.remove();
            let skipped = usize::try_from(self.rank.first - 1).unwrap_or(usize::MAX);
            for rows in &window.rows.sorted {
                for (place, (_, id)) in rows.iter().enumerate().skip(skipped) {
                    match self.rank.with_number {
                        true => changes.push_numbered(id, place as i64 + 1, Change::Insert),
                        false => changes.push(id, Change::Insert),
                    }
                }
            }
            changes.put_out(&window.rows.store, &self.schema, Updates::None, output)?;
        }
        Ok(())
    }

    fn captured(&self) -> std::result::Result<Vec<RecordBatch>, ArrowError> {
        let mut captured = Vec::with_capacity(self.windows.len());
        for window in self.windows.values() {
            let partitions = window.rows.sorted.iter().enumerate();
            let rows = partitions.flat_map(|(group, rows)| rows.iter().map(move |(_, id)| (group as u32, id)));
            let (groups, ids): (Vec<u32>, Vec<RowId>) = rows.unzip();
            let key_groups = groups.iter().map(|group| window.partitions.key_group(*group)).collect();
            let columns = window.rows.store.columns(&ids)?;
            captured.push(state_rows(&self.state_schema, key_groups, Vec::new(), columns)?);
        }
        Ok(captured)
    }

    /// Rows of a partition were captured in their order, so that equal ones come back in the order of arrival.
    fn restored(&mut self, rows: &RecordBatch) -> Result<()> {
        let rows = owned_rows(rows, self.owned)?;
        let columns = RecordBatch::try_new(self.input.clone(), rows.columns()[1..].to_vec())?;
        let ends = event_times(columns.column(self.window_end), &self.uid)?;
        Ok(self.take_in(&columns, &ends)?)
    }
}

impl<K: OrderKey> StreamOperator for WindowRankOperator<K> {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let ends = event_times(rows.column(self.window_end), &self.uid)?;
        Ok(self.take_in(&rows, &ends)?)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        match watermark {
            Watermark::At(time) if time > self.watermark => {
                self.close_windows(time, output)?;
            }
            Watermark::At(_) | Watermark::Idle => {}
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(self.captured()?)
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        self.restored(rows)
    }

    fn watermark(&self) -> Option<i64> {
        Some(self.watermark)
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
    }

    fn state_layout(&self) -> Option<String> {
        let types = type_names(self.state_schema.fields().iter().map(|field| field.data_type()));
        let Rank { partition, order, first, last, with_number, .. } = &self.rank;
        Some(format!("window rank 2: {partition:?} {order:?} {first}-{last} {with_number} {} {types}", self.window_end))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        self.windows.values().map(|window| window.partitions.bytes() + window.rows.bytes()).sum::<usize>() as u64
    }
}
