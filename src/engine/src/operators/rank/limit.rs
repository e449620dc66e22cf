//! A number of rows, whichever come first. Rows that only come are counted and forgotten.
//!
//! Rows that may go are ranked by the order in which they come: see [`super::operator`].

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use tidemill_model::key_groups::{KeyGroupRange, key_group};
use tidemill_plan::{Change, Limit, Rank, RankEmit};

use super::partitions::{state_rows, state_schema};
use crate::change::batch;
use crate::element::Element;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::{Built, Spec};
use crate::state::KEY_GROUP;

/// The operator of a limit.
pub fn build(limit: &Limit, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    if !input.changelog.is_append() && limit.count > 0 {
        return super::build_rank(&as_rank(limit), spec);
    }
    Ok(Box::new(LimitOperator {
        limit: limit.clone(),
        seen: 0,
        schema: spec.node.batch_schema(),
        has_changes: !spec.node.changelog.is_append(),
        owned: spec.owned,
    }))
}

fn as_rank(limit: &Limit) -> Rank {
    Rank {
        partition: Vec::new(),
        order: Vec::new(),
        first: limit.offset.saturating_add(1),
        last: limit.offset.saturating_add(limit.count),
        with_number: false,
        emit: RankEmit::Changes,
        newest_first: false,
        state_ttl_ms: None,
    }
}

struct LimitOperator {
    limit: Limit,
    /// Rows that have come so far.
    seen: u64,
    schema: SchemaRef,
    has_changes: bool,
    owned: KeyGroupRange,
}

impl LimitOperator {
    fn passed(&mut self, rows: &RecordBatch) -> std::result::Result<Option<RecordBatch>, ArrowError> {
        let (start, count) = passing(&self.limit, self.seen, rows.num_rows());
        self.seen += rows.num_rows() as u64;
        if count == 0 {
            return Ok(None);
        }
        let passed = rows.slice(start, count);
        let columns = passed.columns()[..self.schema.fields().len() - usize::from(self.has_changes)].to_vec();
        let kinds = self.has_changes.then(|| vec![Change::Insert as i8; count]);
        batch(&self.schema, columns, kinds).map(Some)
    }
}

/// Which rows of a batch pass when `seen` have come before: the first one's place, and how many.
fn passing(limit: &Limit, seen: u64, rows: usize) -> (usize, usize) {
    let rows = rows as u64;
    let start = limit.offset.saturating_sub(seen).min(rows);
    let end = limit.offset.saturating_add(limit.count).saturating_sub(seen).min(rows);
    (start as usize, (end - start) as usize)
}

/// All rows of a limit come to the thread that has this key group.
fn only_key_group() -> u32 {
    let mut hashes = Vec::with_capacity(1);
    hash_rows(&[], 1, &mut hashes);
    key_group(hashes[0])
}

impl StreamOperator for LimitOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let passed = self.passed(&rows)?;
        output.extend(passed.map(Element::Batch));
        Ok(())
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        let group = only_key_group();
        if !self.owned.contains(group) {
            return Ok(Vec::new());
        }
        let rows = state_rows(&state_schema(&["seen"], []), vec![group], vec![vec![self.seen as i64]], Vec::new());
        Ok(vec![rows?])
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.owned.contains(only_key_group()) {
            self.seen += rows.column(1).as_primitive::<Int64Type>().values().iter().sum::<i64>() as u64;
        }
        Ok(())
    }

    fn state_layout(&self) -> Option<String> {
        Some(format!("limit 1: {KEY_GROUP},seen"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_pass_from_the_offset_on_until_there_are_enough() {
        let limit = Limit { offset: 3, count: 4 };
        let passing = |seen, rows| passing(&limit, seen, rows);
        assert_eq!(passing(0, 2), (2, 0));
        assert_eq!(passing(2, 3), (1, 2));
        assert_eq!(passing(0, 100), (3, 4));
        assert_eq!(passing(5, 10), (0, 2));
        assert_eq!(passing(7, 10), (0, 0));
    }
}
