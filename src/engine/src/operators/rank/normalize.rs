//! An upsert stream as one in which updates come with what they replace.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::and;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use tidemill_plan::{Change, Normalize};

use super::changes::{Changes, Updates};
use super::last_rows::{Changed, LastRow, LastRows};
use super::partitions::{Partitions, owned_rows, state_rows, state_schema, type_names};
use crate::change::{is_addition, split};
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::{Built, Spec};
use crate::rows::{RowId, RowStore};

/// The operator of a normalization.
pub fn build(normalize: &Normalize, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    if spec.node.changelog.is_append() {
        return Err("rows replace each other, so that its output has changes".to_string());
    }
    let partitions = Partitions::new(&normalize.keys, &input.schema, normalize.state_ttl_ms, spec.owned)?;
    let columns = input.schema.fields().iter().map(|field| field.as_ref().clone());
    Ok(Box::new(NormalizeOperator {
        keys: normalize.keys.clone(),
        partitions,
        rows: LastRows::new(input.schema.clone()),
        changes: Changes::default(),
        updates: Updates::of(spec.node),
        schema: spec.node.batch_schema(),
        state_schema: state_schema(&["changed_ms"], columns),
        groups: Vec::new(),
    }))
}

struct NormalizeOperator {
    keys: Vec<usize>,
    partitions: Partitions,
    rows: LastRows,
    changes: Changes,
    updates: Updates,
    schema: SchemaRef,
    state_schema: SchemaRef,
    groups: Vec<u32>,
}

impl NormalizeOperator {
    fn take_in(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let (columns, kinds) = split(rows);
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.rows.resize(self.partitions.len());
        for (row, group) in self.groups.iter().enumerate() {
            match is_addition(kinds, row) {
                true => self.rows.set(*group, row),
                false => self.rows.clear(*group),
            }
        }
        self.rows.end_batch(columns, rows.num_rows())
    }

    fn tell(&mut self, now_ms: i64, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let changed = self.rows.changed();
        let mut replaced = same_rows(&self.rows.store, &changed)?.into_iter();
        for Changed { group, told, valid } in &changed {
            match (*told, *valid) {
                (LastRow::Stored(told), LastRow::Stored(valid)) => {
                    if replaced.next() == Some(false) {
                        if self.updates == Updates::Full {
                            self.changes.push(told, Change::UpdateBefore);
                        }
                        self.changes.push(valid, Change::UpdateAfter);
                    }
                }
                (LastRow::Stored(told), LastRow::None | LastRow::Unstored) => self.changes.push(told, Change::Delete),
                (LastRow::None | LastRow::Unstored, LastRow::Stored(valid)) => {
                    self.changes.push(valid, Change::Insert);
                }
                (LastRow::None | LastRow::Unstored, LastRow::None | LastRow::Unstored) => {}
            }
            self.partitions.set_changed_ms(*group, now_ms);
        }
        self.changes.put_out(&self.rows.store, &self.schema, self.updates, output)?;
        changed.iter().for_each(|changed| self.rows.tell(changed));
        let rows = &self.rows;
        let keep = self.partitions.find_kept(now_ms, rows.empty(), |group| !rows.has_row(group));
        let Some(keep) = keep else { return Ok(()) };
        self.rows.retain(&keep);
        self.partitions.retain(&keep)
    }

    fn captured(&self) -> std::result::Result<RecordBatch, ArrowError> {
        let (groups, ids): (Vec<u32>, Vec<RowId>) = self.rows.rows().unzip();
        let key_groups = groups.iter().map(|group| self.partitions.key_group(*group)).collect();
        let changed_ms = groups.iter().map(|group| self.partitions.changed_ms(*group)).collect();
        state_rows(&self.state_schema, key_groups, vec![changed_ms], self.rows.store.columns(&ids)?)
    }

    fn restored(&mut self, rows: &RecordBatch) -> std::result::Result<(), ArrowError> {
        let rows = owned_rows(rows, self.partitions.owned())?;
        let columns = &rows.columns()[2..];
        self.partitions.intern(columns, rows.num_rows(), &mut self.groups)?;
        self.partitions.restore_changed_ms(&self.groups, rows.column(1));
        self.rows.resize(self.partitions.len());
        self.groups.iter().enumerate().for_each(|(row, group)| self.rows.set(*group, row));
        self.rows.end_batch(columns, rows.num_rows())?;
        self.rows.restored();
        Ok(())
    }
}

/// Whether the new row equals the old one, for each change that replaces one.
fn same_rows(store: &RowStore, changed: &[Changed]) -> std::result::Result<Vec<bool>, ArrowError> {
    let replaced = changed.iter().filter_map(|changed| match (changed.told, changed.valid) {
        (LastRow::Stored(told), LastRow::Stored(valid)) => Some((told, valid)),
        (LastRow::None | LastRow::Unstored | LastRow::Stored(_), _) => None,
    });
    let (told, valid): (Vec<RowId>, Vec<RowId>) = replaced.unzip();
    let mut same = BooleanArray::from(vec![true; told.len()]);
    for column in 0..store.schema().fields().len() {
        if same.true_count() == 0 {
            break;
        }
        same = and(&same, &same_values(&store.column(column, &told)?, &store.column(column, &valid)?)?)?;
    }
    Ok(same.values().iter().collect())
}

/// Whether the values of two columns are equal, row by row; NULL equals NULL.
pub fn same_values(left: &ArrayRef, right: &ArrayRef) -> std::result::Result<BooleanArray, ArrowError> {
    if !left.data_type().is_nested() {
        return not_distinct(left, right);
    }
    let converter = RowConverter::new(vec![SortField::new(left.data_type().clone())])?;
    let left = converter.convert_columns(std::slice::from_ref(left))?;
    let right = converter.convert_columns(std::slice::from_ref(right))?;
    Ok(left.iter().zip(right.iter()).map(|(left, right)| Some(left == right)).collect())
}

impl StreamOperator for NormalizeOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, _output: &mut Output) -> Result<()> {
        Ok(self.take_in(&rows)?)
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        Ok(self.tell(now_ms, output)?)
    }

    fn holds_rows(&self) -> bool {
        self.rows.has_changed()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(vec![self.captured()?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        let types = type_names(self.state_schema.fields().iter().map(|field| field.data_type()));
        Some(format!("normalize 1: {:?} {types}", self.keys))
    }

    fn state_bytes(&self) -> u64 {
        (self.partitions.bytes() + self.rows.bytes()) as u64
    }
}
