//! What an operator is about to put out: numbers of stored rows, and what becomes of each.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use tidemill_plan::{Change, Changelog, PlanNode};

use crate::change::batch;
use crate::element::Element;
use crate::operator::Output;
use crate::operators::OUTPUT_ROWS;
use crate::rows::{RowId, RowStore};

/// How updates are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// Every row is one more.
    None,
    /// With what they replace.
    Full,
    /// Without it.
    AfterOnly,
}

impl Updates {
    pub fn of(node: &PlanNode) -> Self {
        match node.changelog {
            Changelog::Append => Self::None,
            Changelog::Retract => Self::Full,
            Changelog::Upsert { .. } => Self::AfterOnly,
        }
    }
}

/// See the module. Rows may have a number each, which becomes their last column.
#[derive(Default)]
pub struct Changes {
    ids: Vec<RowId>,
    kinds: Vec<i8>,
    numbers: Vec<i64>,
}

impl Changes {
    pub fn push(&mut self, id: RowId, change: Change) {
        self.ids.push(id);
        self.kinds.push(change as i8);
    }

    pub fn push_numbered(&mut self, id: RowId, number: i64, change: Change) {
        self.push(id, change);
        self.numbers.push(number);
    }

    /// Puts all out, as batches of `schema`, and is empty.
    pub fn put_out(
        &mut self,
        store: &RowStore,
        schema: &SchemaRef,
        updates: Updates,
        output: &mut Output,
    ) -> Result<(), ArrowError> {
        for start in (0..self.ids.len()).step_by(OUTPUT_ROWS) {
            let range = start..self.ids.len().min(start + OUTPUT_ROWS);
            let mut columns = store.columns(&self.ids[range.clone()])?;
            if !self.numbers.is_empty() {
                columns.push(Arc::new(Int64Array::from(self.numbers[range.clone()].to_vec())) as ArrayRef);
            }
            let kinds = (updates != Updates::None).then(|| self.kinds[range].to_vec());
            output.push(Element::Batch(batch(schema, columns, kinds)?));
        }
        self.ids.clear();
        self.kinds.clear();
        self.numbers.clear();
        Ok(())
    }
}
