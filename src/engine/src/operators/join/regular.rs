//! The regular join: both sides are kept, and rows of either may come and go.
//!
//! A batch of one side is taken in two steps. Its rows are stored, or taken out where they are taken back; then they are
//! matched with the other side's, which do not change meanwhile. So a row's matches do not depend on the rest of its
//! batch, and results come in the order of the batch. Where NULLs or absence depend on a row having matches at all, each
//! stored row has their number, and what follows from it is put out when the number leaves or reaches 0.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_plan::{Change, Join, JoinKind};

use super::matching::{Batch, Matching};
use super::on::On;
use super::results::ResultShape;
use super::side::JoinSide;
use super::state::StateShape;
use super::{LEFT, RIGHT, Side, inputs, regular_state};
use crate::change::split;
use crate::element::Element;
use crate::groups::GroupTable;
use crate::hash::hash_rows;
use crate::operator::{Output, Result, StreamOperator};
use crate::operators::Spec;

/// Runs a [`Join`].
pub struct JoinOperator {
    pub(super) kind: JoinKind,
    pub(super) on: On,
    /// The keys of both sides.
    pub(super) groups: GroupTable,
    pub(super) sides: [JoinSide; 2],
    pub(super) shape: ResultShape,
    pub(super) state: StateShape,
    pub(super) owned: KeyGroupRange,
    /// Whether all that matters of right rows is that there is one of a key: further ones are not even kept.
    right_is_set: bool,
    /// Rows taken out since groups without rows were looked for.
    removed: usize,
}

/// Groups fewer than this are not worth tidying.
const FEW_GROUPS: usize = 1024;

impl JoinOperator {
    pub fn new(join: &Join, spec: &Spec<'_>) -> std::result::Result<Self, String> {
        let (nodes, schemas) = inputs(spec)?;
        let never_takes_back = nodes.iter().all(|node| node.changelog.is_append())
            && matches!(join.kind, JoinKind::Inner | JoinKind::Semi);
        if spec.node.changelog.is_append() && !never_takes_back {
            return Err("its rows are taken back, which its output has no column for".to_string());
        }
        let tracked = tracked(join.kind);
        let side = |side: Side| {
            let changelog = &nodes[side].changelog;
            JoinSide::new(&schemas[side], changelog, tracked[side], join.state_ttl_ms[side])
        };
        let right_is_set = matches!(join.kind, JoinKind::Semi | JoinKind::Anti)
            && nodes[RIGHT].changelog.is_append()
            && join.on.condition.is_none()
            && join.state_ttl_ms[RIGHT].is_none();
        let on = On::new(spec, &join.on, &schemas)?;
        Ok(Self {
            kind: join.kind,
            groups: GroupTable::new(&on.key_types).map_err(|error| error.to_string())?,
            on,
            sides: [side(LEFT)?, side(RIGHT)?],
            shape: ResultShape::new(join.kind, spec)?,
            state: StateShape::new(regular_state::notes(), &schemas),
            owned: spec.owned,
            right_is_set,
            removed: 0,
        })
    }

    /// Rows whose key has a NULL match nothing for ever and need not be kept. Returns the others.
    fn without_unmatchable(
        &self,
        side: Side,
        rows: RecordBatch,
        output: &mut Output,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let Some(matchable) = self.on.matchable(side, split(&rows).0) else { return Ok(rows) };
        if keeps_unmatched(self.kind, side) {
            let unmatchable = filter_record_batch(&rows, &arrow::compute::not(&matchable)?)?;
            output.push(Element::Batch(self.shape.unmatched(side, &unmatchable)?));
        }
        filter_record_batch(&rows, &matchable)
    }

    fn process(&mut self, side: Side, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let keys = self.on.keys(side, split(&rows).0);
        let (mut hashes, mut groups) = (Vec::new(), Vec::new());
        hash_rows(&keys, rows.num_rows(), &mut hashes);
        self.groups.intern(&keys, &hashes, &mut groups)?;
        let [left, right] = &mut self.sides;
        let (own, other) = if side == LEFT { (left, right) } else { (right, left) };
        let (rows, groups) = match side == RIGHT && self.right_is_set {
            true => only(&own.firsts(&groups), &rows, &groups)?,
            false => (rows, groups),
        };
        let (columns, changes) = split(&rows);
        let stored = own.store(columns, changes, &groups)?;
        self.removed += stored.removed;
        let batch = Batch { side, columns, changes, groups: &groups, stored: &stored };
        let mut matching = Matching::new(self.kind, &self.on, &self.shape, batch, own.matches.is_some());
        matching.run(other, output)?;
        matching.note(own.matches.as_mut());
        Ok(())
    }

    fn forget_expired(&mut self, now_ms: i64) {
        for side in &mut self.sides {
            let Some(ages) = &mut side.ages else { continue };
            let expired = ages.end_epoch(now_ms, &side.rows);
            self.removed += expired.len();
            for id in expired {
                side.chains.remove(id);
                side.rows.remove(id);
                side.identities.iter_mut().for_each(|identities| identities.remove(id));
            }
        }
    }

    /// Forgets keys without rows once they outnumber the others.
    fn forget_groups(&mut self) -> std::result::Result<(), ArrowError> {
        let groups = self.groups.len();
        if groups < FEW_GROUPS || 2 * self.removed < groups {
            return Ok(());
        }
        self.removed = 0;
        let is_live = |group| self.sides.iter().any(|side| !side.chains.is_empty(group as u32));
        let live: BooleanArray = (0..groups).map(|group| Some(is_live(group))).collect();
        if 2 * live.true_count() < groups {
            self.groups.retain(&live)?;
            self.sides.iter_mut().for_each(|side| side.chains.retain(&live));
        }
        Ok(())
    }
}

impl StreamOperator for JoinOperator {
    fn on_batch(&mut self, input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let rows = self.without_unmatchable(input, rows, output)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.process(input, rows, output)
    }

    fn on_epoch_end(&mut self, now_ms: i64, _output: &mut Output) -> Result<()> {
        self.forget_expired(now_ms);
        Ok(self.forget_groups()?)
    }

    fn waits_for_time(&self) -> bool {
        self.sides.iter().any(|side| side.ages.is_some())
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(self.captured()?)
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        Ok(self.restored(rows)?)
    }

    fn state_layout(&self) -> Option<String> {
        Some(format!("join/1 {:?} {} {}", self.kind, self.on.layout(), self.state.layout()))
    }

    fn state_bytes(&self) -> u64 {
        (self.groups.bytes() + self.sides.iter().map(JoinSide::bytes).sum::<usize>()) as u64
    }
}

/// The chosen rows and their groups.
fn only(
    chosen: &BooleanArray,
    rows: &RecordBatch,
    groups: &[u32],
) -> std::result::Result<(RecordBatch, Vec<u32>), ArrowError> {
    let groups = chosen.values().set_indices().map(|row| groups[row]).collect();
    Ok((filter_record_batch(rows, chosen)?, groups))
}

/// The sides whose rows' matches are counted.
pub fn tracked(kind: JoinKind) -> [bool; 2] {
    match kind {
        JoinKind::Inner => [false, false],
        JoinKind::Left | JoinKind::Semi | JoinKind::Anti => [true, false],
        JoinKind::Right => [false, true],
        JoinKind::Full => [true, true],
    }
}

/// Whether a row of this side that has no match is among the results.
pub fn keeps_unmatched(kind: JoinKind, side: Side) -> bool {
    tracked(kind)[side] && kind != JoinKind::Semi
}

/// What is put out for a stored row when it gets its first match, if its matches are counted. When it loses the last
/// one, it is the reverse.
pub fn on_first_match(kind: JoinKind) -> Change {
    if kind == JoinKind::Semi { Change::Insert } else { Change::Delete }
}
