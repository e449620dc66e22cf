//! Puts rows out in the order of their event time.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};
use tidemill_plan::{Change, Sort};

use super::rank::changes::{Changes, Updates};
use super::rank::order::{Order, OrderKey};
use super::rank::partitions::{owned_rows, state_rows, state_schema, type_names};
use super::rank::time::{check_time_column, event_times};
use super::rank::waiting::Waiting;
use super::{Built, Spec};
use crate::element::{Element, Watermark};
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::rows::{RowId, RowStore};

/// The operator of a sort.
pub fn build(sort: &Sort, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    if !input.changelog.is_append() || !spec.node.changelog.is_append() {
        return Err("rows that come and go cannot be put into an order once and for all".to_string());
    }
    check_time_column(&input.schema, sort.time_column)?;
    let columns = input.schema.fields().iter().map(|field| field.as_ref().clone());
    Ok(Box::new(SortOperator {
        uid: spec.node.uid.clone(),
        order: (!sort.then.is_empty()).then(|| Order::new(&sort.then, &input.schema)).transpose()?,
        sort: sort.clone(),
        store: RowStore::new(input.schema.clone()),
        waiting: Waiting::default(),
        watermark: i64::MIN,
        late_rows: 0,
        schema: spec.node.batch_schema(),
        state_schema: state_schema(&[], columns),
        owned: spec.owned,
    }))
}

struct SortOperator {
    uid: String,
    sort: Sort,
    /// Of rows of the same time.
    order: Option<Order>,
    store: RowStore,
    waiting: Waiting<RowId>,
    watermark: i64,
    late_rows: u64,
    schema: SchemaRef,
    state_schema: SchemaRef,
    owned: KeyGroupRange,
}

impl SortOperator {
    fn take_in(&mut self, rows: &RecordBatch, times: &[i64]) -> std::result::Result<(), ArrowError> {
        let in_time: Vec<u32> = (0..times.len() as u32).filter(|row| times[*row as usize] > self.watermark).collect();
        self.late_rows += (times.len() - in_time.len()) as u64;
        let mut ids = Vec::with_capacity(in_time.len());
        if in_time.len() == times.len() {
            self.store.insert(rows.columns(), rows.num_rows(), &mut ids)?;
        } else {
            let kept = take_record_batch(rows, &UInt32Array::from(in_time.clone()))?;
            self.store.insert(kept.columns(), kept.num_rows(), &mut ids)?;
        }
        self.waiting.extend(in_time.iter().map(|row| times[*row as usize]).zip(ids));
        Ok(())
    }

    fn put_out(&mut self, watermark: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        self.watermark = watermark;
        let mut due = self.waiting.due(watermark);
        if due.is_empty() {
            return Ok(());
        }
        if self.order.is_some() {
            due = self.ordered(due)?;
        }
        let mut changes = Changes::default();
        due.iter().for_each(|(_, id)| changes.push(*id, Change::Insert));
        changes.put_out(&self.store, &self.schema, Updates::None, output)?;
        due.iter().for_each(|(_, id)| self.store.remove(*id));
        Ok(())
    }

    /// Rows of the same time, which come in the order of arrival, in the order of the further columns.
    fn ordered(&self, due: Vec<(i64, RowId)>) -> std::result::Result<Vec<(i64, RowId)>, ArrowError> {
        let Some(order) = &self.order else { return Ok(due) };
        let ids: Vec<RowId> = due.iter().map(|(_, id)| *id).collect();
        let columns = self.store.columns(&ids)?;
        let keys = <Box<[u8]> as OrderKey>::encode(order, &columns, ids.len())?;
        let mut places: Vec<usize> = (0..due.len()).collect();
        places
            .sort_by(|one, other| due[*one].0.cmp(&due[*other].0).then_with(|| keys.row(*one).cmp(&keys.row(*other))));
        Ok(places.into_iter().map(|place| due[place]).collect())
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let ids: Vec<RowId> = self.waiting.iter().map(|(_, id)| *id).collect();
        let mut hashes = Vec::new();
        hash_rows(&[], ids.len(), &mut hashes);
        let key_groups = hashes.into_iter().map(key_group).collect();
        state_rows(&self.state_schema, key_groups, Vec::new(), self.store.columns(&ids)?)
    }

    fn restored(&mut self, rows: &RecordBatch) -> Result<()> {
        let rows = owned_rows(rows, self.owned)?;
        let columns = RecordBatch::try_new(self.store.schema().clone(), rows.columns()[1..].to_vec())?;
        self.on_batch(0, columns, &mut Vec::new())
    }
}

impl StreamOperator for SortOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        let times = event_times(rows.column(self.sort.time_column), &self.uid)?;
        Ok(self.take_in(&rows, &times)?)
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        match watermark {
            Watermark::At(time) if time > self.watermark => {
                self.put_out(time, output)?;
            }
            Watermark::At(_) | Watermark::Idle => {}
        }
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
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
        Some(format!("sort 2: {} {types}", self.sort.time_column))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }

    fn state_bytes(&self) -> u64 {
        (self.store.bytes() + self.waiting.bytes()) as u64
    }
}
