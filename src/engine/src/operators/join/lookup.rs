//! The join of rows with what a table holds at the moment. It keeps nothing: a row is joined when it comes, and what the
//! table becomes later changes no result. A row that is taken back is looked up again, as in Flink.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tidemill_plan::{Change, JoinKind, LookupJoin};

use super::on::{On, Pairs};
use super::results::{ResultShape, Results};
use super::{LEFT, PAIRS};
use crate::change::split;
use crate::element::Element;
use crate::lookup::{LookupIndex, LookupTable};
use crate::operator::{Output, Result, StreamOperator, internal};
use crate::operators::Spec;
use crate::rows::NO_ROW;

/// Runs a [`LookupJoin`].
pub struct LookupJoinOperator {
    uid: String,
    keeps_unmatched: bool,
    on: On,
    shape: ResultShape,
    table: Arc<LookupTable>,
}

impl LookupJoinOperator {
    pub fn new(join: &LookupJoin, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let [input] = spec.inputs[..] else { return Err("a lookup join has one input".to_string()) };
        let keeps_unmatched = match join.kind {
            JoinKind::Inner => false,
            JoinKind::Left => true,
            other => return Err(format!("a lookup join is inner or left, not {other:?}")),
        };
        if spec.node.changelog.is_append() != input.changelog.is_append() {
            return Err("its input takes rows back if and only if its output does".to_string());
        }
        let schemas = [input.schema.clone(), join.table_schema.clone()];
        Ok(Self {
            uid: spec.node.uid.clone(),
            keeps_unmatched,
            on: On::new(spec, &join.on, &schemas)?,
            shape: ResultShape::of(join.kind, schemas, spec)?,
            table: spec.lookup().ok_or("its table is not open")?.clone(),
        })
    }

    /// Turns the pairs of the rows from `first` to before `end` into results, row after row.
    fn settle(
        &self,
        batch: &RecordBatch,
        range: std::ops::Range<usize>,
        index: &LookupIndex,
        pairs: &mut Pairs,
        output: &mut Output,
    ) -> Result<()> {
        let (columns, changes) = split(batch);
        self.on.keep_matches(LEFT, columns, index.store(), pairs)?;
        let change = |row: usize| changes.and_then(|changes| Change::of(changes.value(row))).unwrap_or(Change::Insert);
        let mut results = Results::default();
        let mut next = 0;
        for row in range {
            let first = next;
            while pairs.rows.get(next) == Some(&(row as u32)) {
                results.push(row as u32, pairs.ids[next], change(row));
                next += 1;
            }
            if next == first && self.keeps_unmatched {
                results.push(row as u32, NO_ROW, change(row));
            }
        }
        pairs.clear();
        if !results.is_empty() {
            let rows = self.shape.take(LEFT, columns, index.store(), &mut results);
            output.push(Element::Batch(rows.map_err(|error| internal(&self.uid, error))?));
        }
        Ok(())
    }
}

impl StreamOperator for LookupJoinOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let index = self.table.current();
        let (columns, _) = split(&rows);
        let matchable = self.on.matchable(LEFT, columns);
        let found =
            index.find(&self.on.keys(LEFT, columns), matchable.as_ref()).map_err(|error| internal(&self.uid, error))?;
        let mut pairs = Pairs::default();
        let mut settled = 0;
        for row in 0..rows.num_rows() {
            found.rows(row).iter().for_each(|id| pairs.push(row as u32, *id));
            if pairs.len() >= PAIRS {
                self.settle(&rows, settled..row + 1, &index, &mut pairs, output)?;
                settled = row + 1;
            }
        }
        self.settle(&rows, settled..rows.num_rows(), &index, &mut pairs, output)
    }
}
