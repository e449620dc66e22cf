//! How far a change reaches: which rows of a partition have to be evaluated anew, and which to be looked at for it.

use tidemill_plan::Frame;

use super::call::Call;
use super::frame::Stretch;
use crate::operators::rank::sorted_rows::{Place, SortedRows};
use crate::rows::RowId;

pub(super) struct Reach {
    /// Rows before a changed one whose results may depend on it.
    back: usize,
    /// Whether results of rows in the same place depend on each other.
    with_peers: bool,
    /// Rows behind a changed one whose results may depend on it; none if there is no limit.
    ahead: Option<usize>,
    /// Rows before one that its results may depend on; none if there is no limit.
    context: Option<usize>,
}

impl Reach {
    pub fn new(frame: Frame, calls: &[Call]) -> Self {
        let back = calls.iter().map(Call::rows_after).max().unwrap_or_default();
        let before = calls.iter().map(Call::rows_before).max().unwrap_or_default();
        let context = match frame {
            Frame::Rows { preceding: Some(preceding) } if !calls.iter().any(Call::is_row_number) => {
                Some(usize::try_from(preceding).unwrap_or(usize::MAX).max(before))
            }
            Frame::Rows { .. } | Frame::Range { .. } => None,
        };
        // Who looks at the rows behind a row has to have all of them in the line.
        let ahead = context.filter(|_| back == 0);
        Self { back, with_peers: matches!(frame, Frame::Range { .. }), ahead, context }
    }

    /// Appends a partition's rows to the line, if what changed stands from `first` to `last`.
    pub fn stretch<K: Ord>(
        &self,
        (group, sorted): (u32, &SortedRows<K>),
        (first, last): &(Place<K>, Place<K>),
        line: &mut Vec<RowId>,
        is_peer: &mut Vec<bool>,
    ) -> Stretch {
        let (start, mut rows, mut concerned_before) = (line.len(), Vec::new(), 0);
        for (place, id) in sorted.before(first) {
            if rows.len() < self.back || (self.with_peers && place.0 == first.0) {
                concerned_before = rows.len() + 1;
            } else if self.context.is_some_and(|context| rows.len() >= context.saturating_add(concerned_before)) {
                break;
            }
            rows.push((place, id));
        }
        rows.reverse();
        let from = start + rows.len() - concerned_before;
        let mut behind = 0;
        for (place, id) in sorted.from(first) {
            if place > last {
                if self.ahead.is_some_and(|ahead| behind >= ahead) {
                    break;
                }
                behind += 1;
            }
            rows.push((place, id));
        }
        for (number, (place, id)) in rows.iter().enumerate() {
            is_peer.push(number > 0 && rows[number - 1].0.0 == place.0);
            line.push(*id);
        }
        Stretch { group, start, from, end: line.len() }
    }
}
