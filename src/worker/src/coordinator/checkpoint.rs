//! Checkpoints: when one begins, when it is given up, and what follows its commit. Never two at once, and none while a
//! commit is under way: so the last record of the log is the only one whose output may be invisible.

use tidemill_model::CheckpointId;
use tidemill_model::control::{AfterCheckpoint, EngineCommand, ToWorker};
use tidemill_model::snapshot::{ApplicationPaths, LogRecord, Pin};
use tidemill_model::status::{CheckpointSummary, Problem, ProblemKind, SnapshotOutcome};
use tidemill_storage::Sweep;

use super::manifest::merge;
use super::request::needs_new_incarnation;
use super::state::{
    Action, Cause, Checkpoint, Commit, Coordinator, End, Intent, Phase, PublishFault, Run, StorageRequest, Then,
};

impl Coordinator {
    pub(super) fn advance_checkpoints(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Some(run) = self.run() else { return };
        match (&run.checkpoint, &run.commit) {
            (Some(checkpoint), _) if checkpoint.publishing.is_some() => {}
            (Some(checkpoint), _) if is_complete(run, checkpoint) => self.publish(now, actions),
            (Some(checkpoint), _) if now >= checkpoint.began_at + run.spec.checkpoint.timeout_ms => {
                self.decline(timed_out(run, "the checkpoint was not complete"), now, actions);
            }
            (Some(_), _) => {}
            (None, Some(commit)) if commit.recording => {}
            (None, Some(commit)) if commit.waiting.is_empty() => self.record_commit(now, actions),
            (None, Some(commit)) if now >= commit.since + run.spec.checkpoint.timeout_ms => {
                self.fail(timed_out(run, "the output of the checkpoint was not committed"), now, actions);
            }
            (None, Some(_)) => {}
            (None, None) => {
                if let Some(then) = self.checkpoint_due(run, now) {
                    self.begin(then, now, actions);
                }
            }
        }
    }

    /// Whether to begin a checkpoint now, and what for.
    fn checkpoint_due(&self, run: &Run, now: u64) -> Option<Then> {
        let pause_over = now >= run.checkpoint_ended_at + run.spec.checkpoint.min_pause_ms;
        // after a failed one, give storage or a sink a moment
        let may_begin = self.history.checkpoint_problem.is_none() || pause_over;
        if !may_begin {
            return None;
        }
        if matches!(self.intent, Intent::Stop { .. }) {
            return Some(Then::Stop);
        }
        if self.move_is_due(run, now) {
            return Some(Then::Move);
        }
        if run.all_finished() {
            return Some(Then::Finish);
        }
        let interval_over = now >= run.checkpoint_began_at + run.spec.checkpoint.interval_ms;
        let due = !self.snapshots_waiting.is_empty() || (interval_over && pause_over);
        due.then_some(Then::Continue)
    }

    /// A move waits until the new workers are there, so that the pause is short.
    fn move_is_due(&self, run: &Run, now: u64) -> bool {
        needs_new_incarnation(&run.spec, &self.wanted)
            && self.has_workers(self.wanted.workers)
            && now >= self.history.hold_move_until
    }

    fn begin(&mut self, then: Then, now: u64, actions: &mut Vec<Action>) {
        let names = std::mem::take(&mut self.snapshots_waiting).into_iter().collect();
        let first = self.workers.get(&0).map(|connected| connected.connection);
        let (Phase::Engaged(run), Some(connection)) = (&mut self.phase, first) else { return };
        run.last_checkpoint = run.last_checkpoint.next();
        run.checkpoint_began_at = now;
        let id = run.last_checkpoint;
        run.checkpoint = Some(Checkpoint {
            id,
            then,
            names,
            began_at: now,
            epoch: None,
            captures: Default::default(),
            publishing: None,
        });
        let after = match then {
            Then::Continue => AfterCheckpoint::Continue,
            Then::Stop | Then::Move | Then::Finish => AfterCheckpoint::Stop,
        };
        let command = EngineCommand::Checkpoint { id, then: after };
        actions
            .push(Action::Send { connection, message: ToWorker::Engine { incarnation: run.incarnation(), command } });
    }

    fn publish(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let Some(mut checkpoint) = run.checkpoint.take() else { return };
        let manifest = merge(run, &checkpoint, now);
        let path = ApplicationPaths::new(&run.spec.application).manifest(manifest.incarnation, manifest.checkpoint);
        let record = LogRecord::Checkpoint {
            incarnation: run.incarnation(),
            checkpoint: checkpoint.id,
            manifest: path.clone(),
            restore_number: run.claim.restore_number,
            at_ms: now,
        };
        checkpoint.publishing = Some(CheckpointSummary {
            id: checkpoint.id,
            completed_at_ms: now,
            duration_ms: now.saturating_sub(checkpoint.began_at),
            bytes: manifest.bytes(),
            manifest: path,
        });
        let request = StorageRequest::Publish { sequence: run.next_sequence, manifest: Box::new(manifest), record };
        actions.push(Action::Storage { job: run.spec.clone(), request });
        run.checkpoint = Some(checkpoint);
    }

    pub(super) fn published(
        &mut self,
        id: CheckpointId,
        outcome: Result<(), PublishFault>,
        now: u64,
        actions: &mut Vec<Action>,
    ) {
        match outcome {
            Ok(()) => self.commit(id, now, actions),
            Err(PublishFault::Declined(problem)) => self.decline(problem, now, actions),
            Err(PublishFault::Unknown(problem)) => {
                self.history.checkpoints_failed += 1;
                self.fail(problem, now, actions);
            }
            Err(PublishFault::Fenced { by }) => self.fenced(by, actions),
        }
    }

    /// The checkpoint is claimed: everyone may make its output visible.
    fn commit(&mut self, id: CheckpointId, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let Some(checkpoint) = run.checkpoint.take().filter(|checkpoint| checkpoint.id == id) else { return };
        let summary = checkpoint.publishing.map(|summary| CheckpointSummary {
            completed_at_ms: now,
            duration_ms: now.saturating_sub(checkpoint.began_at),
            ..summary
        });
        run.commit = Some(Commit {
            id,
            sequence: run.next_sequence,
            then: checkpoint.then,
            names: checkpoint.names,
            since: now,
            waiting: run.members().collect(),
            summary: summary.clone(),
            recording: false,
        });
        run.next_sequence += 1;
        run.checkpoint_ended_at = now;
        self.history.checkpoints_completed += 1;
        self.history.last_checkpoint = summary;
        self.history.checkpoint_problem = None;
        let Some(run) = self.run() else { return };
        let command = EngineCommand::Commit { id };
        self.send_to(run, &ToWorker::Engine { incarnation: run.incarnation(), command }, actions);
    }

    fn record_commit(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let (job, incarnation) = (run.spec.clone(), run.incarnation());
        let Some(commit) = &mut run.commit else { return };
        commit.recording = true;
        let pin = |summary: &CheckpointSummary| Pin {
            checkpoint: summary.id,
            manifest: summary.manifest.clone(),
            bytes: summary.bytes,
            created_at_ms: now,
        };
        let pins =
            commit.names.iter().zip(commit.summary.iter().cycle()).map(|(name, summary)| (name.clone(), pin(summary)));
        let request = StorageRequest::RecordCommit { incarnation, sequence: commit.sequence, pins: pins.collect() };
        actions.push(Action::Storage { job, request });
    }

    /// The output is visible and that is on record: collect garbage, then do what the checkpoint was for.
    pub(super) fn commit_recorded(&mut self, sequence: u64, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let Some(commit) = run.commit.take_if(|commit| commit.sequence == sequence) else { return };
        let Some(summary) = commit.summary else { return };
        let sweep = if run.swept { Sweep::DroppedCheckpointsOnly } else { Sweep::OlderIncarnations };
        run.swept = true;
        let keep = run.spec.checkpoint.keep.max(1) as usize;
        let request = StorageRequest::CollectGarbage { keep, incarnation: run.incarnation(), sweep };
        actions.push(Action::Storage { job: run.spec.clone(), request });
        match (commit.then, self.intent) {
            (Then::Continue, _) => {}
            (Then::Stop, _) | (Then::Move | Then::Finish, Intent::Stop { .. }) => {
                self.kill(actions);
                self.end(End::Stopped { snapshot: Some(summary) });
            }
            (Then::Finish, Intent::Run) => {
                self.kill(actions);
                self.end(End::Finished { snapshot: summary });
            }
            (Then::Move, Intent::Run) => {
                self.kill(actions);
                self.phase = Phase::Waiting { since: now, not_before: now, cause: Cause::Move };
            }
        }
    }

    /// Gives a checkpoint up. Sources that were told to stop do not go on by themselves: then the engines restart.
    fn decline(&mut self, problem: Problem, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let Some(checkpoint) = run.checkpoint.take() else { return };
        run.checkpoint_ended_at = now;
        self.history.checkpoints_failed += 1;
        self.history.checkpoint_problem = Some(problem.clone());
        for name in checkpoint.names {
            self.snapshots.insert(name, SnapshotOutcome::Failed(problem.clone()));
        }
        match checkpoint.then {
            Then::Continue => {}
            Then::Stop | Then::Finish => self.fail(problem, now, actions),
            Then::Move => {
                self.history.hold_move_until = now + self.wanted.checkpoint.min_pause_ms.max(MOVE_RETRY_MS);
                self.fail(problem, now, actions);
            }
        }
    }
}

/// How long the old spec goes on after the checkpoint before a move failed.
const MOVE_RETRY_MS: u64 = 10_000;

impl Run {
    /// Snapshots that the checkpoint or commit under way is for.
    pub(super) fn names_under_way(&self) -> impl Iterator<Item = &String> {
        let checkpoint = self.checkpoint.iter().flat_map(|checkpoint| &checkpoint.names);
        checkpoint.chain(self.commit.iter().flat_map(|commit| &commit.names))
    }
}

fn is_complete(run: &Run, checkpoint: &Checkpoint) -> bool {
    checkpoint.epoch.is_some() && checkpoint.captures.len() == run.spec.workers as usize
}

fn timed_out(run: &Run, what: &str) -> Problem {
    Problem {
        kind: ProblemKind::StorageUnavailable,
        object: format!("checkpoint {}", run.last_checkpoint),
        message: format!("{what} within {} ms", run.spec.checkpoint.timeout_ms),
        remedy: "look for slow checkpoint storage, a sink that cannot be reached or a stuck source, or raise \
                 spec.checkpoint.timeout"
            .to_string(),
    }
}
