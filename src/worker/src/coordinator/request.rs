//! Requests from outside: which are admitted, and what they change. Each may be repeated without harm.

use std::sync::Arc;

use tidemill_model::job::{JobSpec, RestoreSpec};
use tidemill_model::snapshot::Pin;
use tidemill_model::status::{CheckpointSummary, Problem, ProblemKind, SnapshotOutcome, StopMode};

use super::state::{Action, Cause, Coordinator, End, Intent, Phase, StorageRequest};

#[derive(Clone, Debug)]
pub enum Request {
    ChangeJob(Box<JobSpec>),
    Stop(StopMode),
    Snapshot { name: String },
}

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Conflict(String),
}

impl Coordinator {
    /// Whether the request can be carried out now.
    pub fn admit(&self, request: &Request) -> Result<(), Refusal> {
        match request {
            Request::ChangeJob(spec) => {
                check_spec(spec)?;
                if spec.application != self.wanted.application {
                    return Err(conflict("these workers belong to another application"));
                }
                self.refuse_when_over()?;
                match self.intent {
                    Intent::Run => Ok(()),
                    Intent::Stop { .. } => Err(conflict("the job is stopping; start it again with the new spec")),
                }
            }
            Request::Stop(_) => match &self.phase {
                Phase::Ended(End::Fenced) => Err(conflict(FENCED)),
                _ => Ok(()),
            },
            Request::Snapshot { name } => {
                check_name(name)?;
                match &self.phase {
                    Phase::Ended(End::Finished { .. }) => {
                        Err(conflict("the job has finished; its last checkpoint is kept"))
                    }
                    _ => self.refuse_when_over(),
                }
            }
        }
    }

    fn refuse_when_over(&self) -> Result<(), Refusal> {
        match &self.phase {
            Phase::Ended(End::Stopped { .. }) => {
                Err(conflict("the job is stopped; it runs again once its workers are started anew"))
            }
            Phase::Ended(End::Fenced) => Err(conflict(FENCED)),
            Phase::Ended(End::Finished { .. }) | Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Engaged(_) => {
                Ok(())
            }
        }
    }

    pub(super) fn requested(&mut self, request: Request, now: u64, actions: &mut Vec<Action>) {
        match request {
            Request::ChangeJob(spec) => self.change_job(Arc::new(*spec), now),
            Request::Stop(StopMode::Snapshot) => self.stop_with_snapshot(now),
            Request::Stop(StopMode::Force) => self.stop_at_once(actions),
            Request::Snapshot { name } => self.snapshot(name, actions),
        }
    }

    fn change_job(&mut self, spec: Arc<JobSpec>, now: u64) {
        let restart = needs_new_incarnation(&self.wanted, &spec);
        if restart {
            self.history.hold_move_until = 0;
        }
        match &mut self.phase {
            // a new spec deserves a new try at once
            Phase::Waiting { not_before, .. } if restart => *not_before = now,
            Phase::Ended(End::Finished { .. }) if restart => {
                self.phase = Phase::Waiting { since: now, not_before: now, cause: Cause::Move };
            }
            Phase::Engaged(run) if !needs_new_incarnation(&run.spec, &spec) => run.spec = spec.clone(),
            Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Engaged(_) | Phase::Ended(_) => {}
        }
        self.wanted = spec;
    }

    fn stop_with_snapshot(&mut self, now: u64) {
        match &self.phase {
            Phase::Ended(End::Finished { snapshot }) => {
                self.phase = Phase::Ended(End::Stopped { snapshot: Some(snapshot.clone()) });
            }
            Phase::Ended(End::Stopped { .. } | End::Fenced) => {}
            Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Engaged(_) => {
                if self.intent == Intent::Run {
                    self.intent = Intent::Stop { since: now };
                }
            }
        }
    }

    fn stop_at_once(&mut self, actions: &mut Vec<Action>) {
        match &self.phase {
            Phase::Ended(End::Finished { snapshot }) => {
                self.phase = Phase::Ended(End::Stopped { snapshot: Some(snapshot.clone()) });
            }
            Phase::Ended(End::Stopped { .. } | End::Fenced) => {}
            Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Engaged(_) => {
                self.kill(actions);
                self.end(End::Stopped { snapshot: None });
            }
        }
    }

    /// A snapshot of this name may exist from before a restart of the coordinator: storage is asked first.
    fn snapshot(&mut self, name: String, actions: &mut Vec<Action>) {
        match self.snapshots.get(&name) {
            Some(SnapshotOutcome::InProgress | SnapshotOutcome::Completed(_)) => {}
            Some(SnapshotOutcome::Failed(_)) | None => {
                self.snapshots.insert(name.clone(), SnapshotOutcome::InProgress);
                actions.push(Action::Storage { job: self.wanted.clone(), request: StorageRequest::ReadPin { name } });
            }
        }
    }

    pub(super) fn pin_read(&mut self, name: String, outcome: Result<Option<Pin>, Problem>) {
        if self.snapshots.get(&name) != Some(&SnapshotOutcome::InProgress) {
            return;
        }
        match outcome {
            Ok(None) => {
                self.snapshots_waiting.insert(name);
            }
            Ok(Some(pin)) => {
                self.snapshots.insert(name, SnapshotOutcome::Completed(summary_of(&pin)));
            }
            Err(problem) => {
                self.snapshots.insert(name, SnapshotOutcome::Failed(problem));
            }
        }
    }

    pub(super) fn pinned(&mut self, pins: Vec<(String, Pin, Result<(), Problem>)>) {
        for (name, pin, outcome) in pins {
            self.snapshots_waiting.remove(&name);
            let outcome = match outcome {
                Ok(()) => SnapshotOutcome::Completed(self.summary_for(&pin)),
                Err(problem) => SnapshotOutcome::Failed(problem),
            };
            self.snapshots.insert(name, outcome);
        }
    }

    /// With the duration, where this coordinator took the checkpoint itself.
    fn summary_for(&self, pin: &Pin) -> CheckpointSummary {
        let last = self.history.last_checkpoint.as_ref().filter(|last| last.manifest == pin.manifest);
        last.cloned().unwrap_or_else(|| summary_of(pin))
    }

    pub(super) fn fail_open_snapshots(&mut self) {
        self.snapshots_waiting.clear();
        for outcome in self.snapshots.values_mut().filter(|outcome| **outcome == SnapshotOutcome::InProgress) {
            *outcome = SnapshotOutcome::Failed(Problem {
                kind: ProblemKind::WorkerLost,
                object: "snapshot".to_string(),
                message: "the job ended before the snapshot was complete".to_string(),
                remedy: "start the job and ask again".to_string(),
            });
        }
    }
}

const FENCED: &str = "another, newer coordinator runs this application";

/// Whether going from one spec to the other takes a restart of the engines.
pub(super) fn needs_new_incarnation(old: &JobSpec, new: &JobSpec) -> bool {
    // named one by one, so that a new field of the spec has to be decided on here
    let JobSpec {
        application: _,
        version,
        workers,
        threads_per_worker,
        plan,
        modules,
        storage,
        checkpoint: _,
        restore,
        restarts: _,
    } = new;
    let RestoreSpec { from: _, number, known_incarnation: _, allow_non_restored_state: _ } = restore;
    *version != old.version
        || *workers != old.workers
        || *threads_per_worker != old.threads_per_worker
        || *plan != old.plan
        || *modules != old.modules
        || *storage != old.storage
        || *number > old.restore.number
}

fn check_spec(spec: &JobSpec) -> Result<(), Refusal> {
    let threads = u64::from(spec.workers) * u64::from(spec.threads_per_worker);
    if threads == 0 {
        return Err(Refusal::Invalid("a job needs at least one worker and one thread".to_string()));
    }
    if threads > u64::from(tidemill_model::key_groups::KEY_GROUPS) {
        return Err(Refusal::Invalid(format!(
            "a job has at most {} threads in all",
            tidemill_model::key_groups::KEY_GROUPS
        )));
    }
    Ok(())
}

/// A snapshot's name becomes an object's name.
fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !name.is_empty() && name.len() <= 253 && name.chars().all(allowed) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("`{name}` does not name a snapshot: use lower-case letters, digits, `-` and `.`")))
}

fn conflict(message: &str) -> Refusal {
    Refusal::Conflict(message.to_string())
}

fn summary_of(pin: &Pin) -> CheckpointSummary {
    CheckpointSummary {
        id: pin.checkpoint,
        completed_at_ms: pin.created_at_ms,
        duration_ms: 0,
        bytes: pin.bytes,
        manifest: pin.manifest.clone(),
    }
}
