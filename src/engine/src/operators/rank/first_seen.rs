//! Deduplication that keeps what comes first: a row passes if its key has not been seen. Only keys are state.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::{Change, Deduplicate};

use super::changes::Updates;
use super::partitions::{Partitions, owned_rows, state_rows, state_schema, type_names};
use crate::change::batch;
use crate::element::Element;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;
use crate::state::KEY_GROUP;

pub struct FirstSeenOperator {
    partitions: Partitions,
    schema: SchemaRef,
    updates: Updates,
    state_schema: SchemaRef,
    groups: Vec<u32>,
}

impl FirstSeenOperator {
    pub fn new(deduplicate: &Deduplicate, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let input = &spec.inputs[0].schema;
        let partitions = Partitions::new(&deduplicate.keys, input, deduplicate.state_ttl_ms, spec.owned)?;
        let keys = deduplicate.keys.iter().map(|key| input.field(*key).clone());
        Ok(Self {
            partitions,
            schema: spec.node.batch_schema(),
            updates: Updates::of(spec.node),
            state_schema: state_schema(&["changed_ms"], keys),
            groups: Vec::new(),
        })
    }

    fn passed(&mut self, rows: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let mut next = self.partitions.len() as u32;
        self.partitions.intern(rows.columns(), rows.num_rows(), &mut self.groups)?;
        // Keys are numbered in the order in which they are first seen.
        let is_first = self.groups.iter().map(|group| {
            let is_first = *group == next;
            next += u32::from(is_first);
            is_first
        });
        let is_first: Vec<bool> = is_first.collect();
        let passed = filter_record_batch(rows, &BooleanArray::from(is_first))?;
        let kinds = (self.updates != Updates::None).then(|| vec![Change::Insert as i8; passed.num_rows()]);
        batch(&self.schema, passed.columns().to_vec(), kinds)
    }

    fn forget_expired(&mut self, now_ms: i64) -> std::result::Result<(), ArrowError> {
        match self.partitions.find_kept(now_ms, 0, |_| false) {
            Some(keep) => self.partitions.retain(&keep),
            None => Ok(()),
        }
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let groups = 0..self.partitions.len() as u32;
        let key_groups = groups.clone().map(|group| self.partitions.key_group(group)).collect();
        let changed_ms = groups.map(|group| self.partitions.changed_ms(group)).collect();
        state_rows(&self.state_schema, key_groups, vec![changed_ms], self.partitions.keys()?)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = owned_rows(rows, self.partitions.owned())?;
        self.partitions.intern_keys(&rows.columns()[2..], rows.num_rows(), &mut self.groups)?;
        self.partitions.restore_changed_ms(&self.groups, rows.column(1));
        Ok(())
    }
}

impl StreamOperator for FirstSeenOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let passed = self.passed(&rows)?;
        if passed.num_rows() > 0 {
            output.push(Element::Batch(passed));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, _output: &mut Output) -> Result<()> {
        Ok(self.forget_expired(now_ms)?)
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        let keys = self.state_schema.fields().iter().filter(|field| field.name() != KEY_GROUP);
        Some(format!("first seen 1: {}", type_names(keys.map(|field| field.data_type()))))
    }

    fn state_bytes(&self) -> u64 {
        self.partitions.bytes() as u64
    }
}
