//! The log of starts and checkpoints, and every decision that is taken from it. Pure: the records read come in, what
//! to do comes out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::PendingCommit;
use crate::job::{RestoreFrom, RestoreSpec};
use crate::{CheckpointId, Incarnation};

/// One entry of an application's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum LogRecord {
    /// An incarnation begins. From here on, no older one can complete a checkpoint.
    Start {
        incarnation: Incarnation,
        version: String,
        /// The manifest that it starts from; none for an empty start.
        restore: Option<String>,
        /// The highest [`RestoreSpec::number`] carried out up to here.
        restore_number: u64,
        /// The highest checkpoint number given out up to here.
        last_checkpoint: CheckpointId,
        at_ms: u64,
    },
    /// A checkpoint is complete.
    Checkpoint {
        incarnation: Incarnation,
        checkpoint: CheckpointId,
        manifest: String,
        /// Carried on from the incarnation's start.
        restore_number: u64,
        at_ms: u64,
    },
}

impl LogRecord {
    pub fn incarnation(&self) -> Incarnation {
        match self {
            Self::Start { incarnation, .. } | Self::Checkpoint { incarnation, .. } => *incarnation,
        }
    }

    fn restore_number(&self) -> u64 {
        match self {
            Self::Start { restore_number, .. } | Self::Checkpoint { restore_number, .. } => *restore_number,
        }
    }

    fn last_checkpoint(&self) -> CheckpointId {
        match self {
            Self::Start { last_checkpoint, .. } => *last_checkpoint,
            Self::Checkpoint { checkpoint, .. } => *checkpoint,
        }
    }

    /// The manifest that holds the application's state as of this record.
    fn state(&self) -> Option<&str> {
        match self {
            Self::Start { restore, .. } => restore.as_deref(),
            Self::Checkpoint { manifest, .. } => Some(manifest),
        }
    }
}

/// What came of trying to create a log record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The record is ours: what it announces may be done.
    Won,
    /// Another incarnation is in charge: end without committing anything.
    Fenced { by: Incarnation },
}

/// Judges an attempt to create `mine` at a sequence number. `existing` is the record that stands there now, ours or
/// another's, and `later` the highest incarnation among records with higher numbers, if there are any.
///
/// Looking at later records matters once old ones are removed: a writer that slept through it all could create a
/// number that was taken and removed. The record after a removed one is never removed before it, so such a writer
/// sees it.
pub fn judge_claim(mine: &LogRecord, existing: &LogRecord, later: Option<Incarnation>) -> Claim {
    match later {
        Some(by) => Claim::Fenced { by },
        None if existing == mine => Claim::Won,
        None => Claim::Fenced { by: existing.incarnation() },
    }
}

/// The sequence number after the last one of the log.
pub fn next_sequence(log: &BTreeMap<u64, LogRecord>) -> u64 {
    log.last_key_value().map_or(1, |(sequence, _)| sequence + 1)
}

/// How the next incarnation begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// Where the start record has to be created.
    pub sequence: u64,
    pub record: LogRecord,
    /// A checkpoint whose output may not be visible yet: it has no `committed` marker. With the sequence number of its
    /// record, under which the marker goes.
    pub commit: Option<(u64, PendingCommit)>,
}

/// Why a job must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefused {
    #[error("storage knows incarnation {found} as the latest, but incarnation {known} has run")]
    StateLost { known: Incarnation, found: Incarnation },
}

/// Decides how the next incarnation begins, from the log, the sequence numbers that have a `committed` marker, and
/// what the user asked for.
pub fn start_point(
    log: &BTreeMap<u64, LogRecord>,
    committed: impl Fn(u64) -> bool,
    asked: &RestoreSpec,
    version: &str,
    now_ms: u64,
) -> Result<StartPoint, StartRefused> {
    let last = log.last_key_value().map(|(_, record)| record);
    let incarnation = last.map_or(Incarnation(0), LogRecord::incarnation);
    if incarnation < asked.known_incarnation {
        return Err(StartRefused::StateLost { known: asked.known_incarnation, found: incarnation });
    }
    let restore_number = last.map_or(0, LogRecord::restore_number);
    let latest = last.and_then(LogRecord::state).map(str::to_string);
    let restore = if asked.number > restore_number {
        match &asked.from {
            RestoreFrom::Latest => latest,
            RestoreFrom::Snapshot { manifest } => Some(manifest.clone()),
            RestoreFrom::Empty => None,
        }
    } else {
        latest
    };
    let commit = log.iter().rev().find_map(|(sequence, record)| match record {
        LogRecord::Checkpoint { checkpoint, manifest, .. } => {
            Some((*sequence, PendingCommit { checkpoint: *checkpoint, manifest: manifest.clone() }))
        }
        LogRecord::Start { .. } => None,
    });
    Ok(StartPoint {
        sequence: next_sequence(log),
        record: LogRecord::Start {
            incarnation: incarnation.next(),
            version: version.to_string(),
            restore,
            restore_number: restore_number.max(asked.number),
            last_checkpoint: last.map_or(CheckpointId(0), LogRecord::last_checkpoint),
            at_ms: now_ms,
        },
        commit: commit.filter(|(sequence, _)| !committed(*sequence)),
    })
}

/// The records that may be removed: all before the `keep`-th last checkpoint, but never the last record, nor the last
/// checkpoint, nor one that the last record restores from. Remove them from the lowest number upwards.
pub fn superseded(log: &BTreeMap<u64, LogRecord>, keep: usize) -> Vec<u64> {
    let mut kept = 0;
    let mut first_kept = None;
    for (sequence, record) in log.iter().rev() {
        if let LogRecord::Checkpoint { .. } = record {
            kept += 1;
            if kept == keep.max(1) {
                first_kept = Some(*sequence);
                break;
            }
        }
    }
    let Some(first_kept) = first_kept else { return Vec::new() };
    log.range(..first_kept).map(|(sequence, _)| *sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(incarnation: u64, restore: Option<&str>, restore_number: u64, last_checkpoint: u64) -> LogRecord {
        LogRecord::Start {
            incarnation: Incarnation(incarnation),
            version: "v".into(),
            restore: restore.map(str::to_string),
            restore_number,
            last_checkpoint: CheckpointId(last_checkpoint),
            at_ms: 0,
        }
    }

    fn checkpoint(incarnation: u64, id: u64) -> LogRecord {
        LogRecord::Checkpoint {
            incarnation: Incarnation(incarnation),
            checkpoint: CheckpointId(id),
            manifest: format!("m{id}"),
            restore_number: 0,
            at_ms: 0,
        }
    }

    fn log(records: impl IntoIterator<Item = LogRecord>) -> BTreeMap<u64, LogRecord> {
        (1..).zip(records).collect()
    }

    fn begin(records: impl IntoIterator<Item = LogRecord>, asked: &RestoreSpec) -> StartPoint {
        start_point(&log(records), |_| true, asked, "v", 0).unwrap()
    }

    #[test]
    fn the_first_start_is_empty() {
        let point = begin([], &RestoreSpec::default());
        assert_eq!((point.sequence, point.record, point.commit), (1, start(1, None, 0, 0), None));
    }

    #[test]
    fn a_restart_goes_on_from_the_latest_checkpoint() {
        let point = begin([start(1, None, 0, 0), checkpoint(1, 1), checkpoint(1, 2)], &RestoreSpec::default());
        assert_eq!((point.sequence, point.record), (4, start(2, Some("m2"), 0, 2)));
    }

    #[test]
    fn a_restart_before_the_first_checkpoint_starts_from_where_its_forerunner_started() {
        let point = begin([checkpoint(1, 7), start(2, Some("m7"), 0, 7)], &RestoreSpec::default());
        assert_eq!(point.record, start(3, Some("m7"), 0, 7));
    }

    #[test]
    fn an_explicit_restore_is_carried_out_once() {
        let asked =
            RestoreSpec { from: RestoreFrom::Snapshot { manifest: "old".into() }, number: 1, ..RestoreSpec::default() };
        let first = begin([checkpoint(1, 5)], &asked);
        assert_eq!(first.record, start(2, Some("old"), 1, 5));
        let second =
            begin([checkpoint(1, 5), first.record, checkpoint(2, 6)], &RestoreSpec { number: 0, ..asked.clone() });
        assert_eq!(second.record, start(3, Some("m6"), 0, 6));
    }

    #[test]
    fn a_restart_after_an_explicit_restore_does_not_repeat_it() {
        let asked = RestoreSpec { from: RestoreFrom::Empty, number: 3, ..RestoreSpec::default() };
        let first = begin([checkpoint(1, 5)], &asked);
        assert_eq!(first.record, start(2, None, 3, 5));
        let mut six = checkpoint(2, 6);
        if let LogRecord::Checkpoint { restore_number, .. } = &mut six {
            *restore_number = 3;
        }
        let again = begin([checkpoint(1, 5), first.record, six], &asked);
        assert_eq!(again.record, start(3, Some("m6"), 3, 6));
    }

    #[test]
    fn lost_storage_refuses_to_start_empty() {
        let asked = RestoreSpec { known_incarnation: Incarnation(4), ..RestoreSpec::default() };
        let refused = start_point(&log([]), |_| true, &asked, "v", 0);
        assert_eq!(refused, Err(StartRefused::StateLost { known: Incarnation(4), found: Incarnation(0) }));
    }

    #[test]
    fn an_unfinished_commit_is_replayed_whatever_is_restored() {
        let records = log([start(1, None, 0, 0), checkpoint(1, 1)]);
        for from in [RestoreFrom::Latest, RestoreFrom::Empty] {
            let asked = RestoreSpec { from, number: 1, ..RestoreSpec::default() };
            let point = start_point(&records, |_| false, &asked, "v", 0).unwrap();
            let pending = PendingCommit { checkpoint: CheckpointId(1), manifest: "m1".into() };
            assert_eq!(point.commit, Some((2, pending)));
        }
    }

    #[test]
    fn a_writer_that_finds_its_number_taken_is_fenced() {
        let (mine, theirs) = (checkpoint(1, 2), start(2, Some("m1"), 0, 1));
        assert_eq!(judge_claim(&mine, &theirs, None), Claim::Fenced { by: Incarnation(2) });
    }

    #[test]
    fn a_lost_reply_is_recognised_as_ones_own_record() {
        assert_eq!(judge_claim(&checkpoint(1, 2), &checkpoint(1, 2), None), Claim::Won);
    }

    #[test]
    fn a_sleeper_that_creates_a_removed_number_is_fenced_by_later_records() {
        let mine = checkpoint(1, 2);
        assert_eq!(judge_claim(&mine, &mine, Some(Incarnation(9))), Claim::Fenced { by: Incarnation(9) });
    }

    #[test]
    fn the_last_checkpoints_and_everything_after_them_are_kept() {
        let records = log([start(1, None, 0, 0), checkpoint(1, 1), checkpoint(1, 2), start(2, Some("m2"), 0, 2)]);
        assert_eq!(superseded(&records, 1), [1, 2]);
        assert_eq!(superseded(&records, 2), [1]);
        assert_eq!(superseded(&records, 3), Vec::<u64>::new());
        assert_eq!(superseded(&log([start(1, None, 0, 0)]), 1), Vec::<u64>::new());
    }
}
