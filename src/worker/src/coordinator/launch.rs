//! From workers that are connected to engines that run: claim, spawn, exchange addresses, start.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use tidemill_model::control::{EngineCommand, EngineStart, PendingCommit, ToWorker};
use tidemill_model::job::JobSpec;
use tidemill_model::status::{Problem, ProblemKind};

use super::state::{Action, Cause, Commit, Coordinator, Phase, Run, StartClaim, StorageRequest, Then};

/// A child binds its port at once; this covers a slow machine.
const LISTEN_TIMEOUT_MS: u64 = 60_000;
/// Restoring large state takes time; beyond this something hangs.
const START_TIMEOUT_MS: u64 = 600_000;

impl Coordinator {
    pub(super) fn claim_start(&mut self, cause: Cause, now: u64, actions: &mut Vec<Action>) {
        let Some(spec) = self.spec_to_start(now) else { return };
        actions.push(Action::Storage { job: spec.clone(), request: StorageRequest::ClaimStart { now_ms: now } });
        self.phase = Phase::Claiming { spec, cause };
    }

    /// The wanted spec if its workers are there; else the previous one, so that the job runs on while it waits.
    fn spec_to_start(&self, now: u64) -> Option<Arc<JobSpec>> {
        let previous = self.previous.as_ref().filter(|previous| self.has_workers(previous.workers));
        if now < self.history.hold_move_until
            && let Some(previous) = previous
        {
            return Some(with_settings(previous, &self.wanted));
        }
        if self.has_workers(self.wanted.workers) {
            return Some(self.wanted.clone());
        }
        previous.map(|previous| with_settings(previous, &self.wanted))
    }

    pub(super) fn spawn(
        &mut self,
        spec: Arc<JobSpec>,
        cause: Cause,
        claim: StartClaim,
        now: u64,
        actions: &mut Vec<Action>,
    ) {
        let message = ToWorker::Spawn { incarnation: claim.incarnation };
        self.history.incarnation = claim.incarnation;
        let run = Run::new(spec, cause, claim, now);
        self.phase = Phase::Engaged(Box::new(run));
        let Some(run) = self.run() else { return };
        if self.has_workers(run.spec.workers) {
            self.send_to(run, &message, actions);
        } else {
            // one left while the record was being claimed
            let problem = problem_of_launch("a worker was lost before the engines were started");
            self.fail(problem, now, actions);
        }
    }

    pub(super) fn advance_launch(&mut self, now: u64, actions: &mut Vec<Action>) {
        let Phase::Engaged(run) = &mut self.phase else { return };
        let workers = run.spec.workers as usize;
        if run.running.len() == workers {
            run.running_since = Some(now);
            (run.checkpoint_began_at, run.checkpoint_ended_at) = (now, now);
            self.previous = Some(run.spec.clone());
            return self.advance_checkpoints(now, actions);
        }
        if !run.start_sent && run.ports.len() == workers {
            run.start_sent = true;
            return self.send_start(actions);
        }
        let (timeout_ms, what) = if run.start_sent { (START_TIMEOUT_MS, "run") } else { (LISTEN_TIMEOUT_MS, "listen") };
        if now >= run.launched_at + timeout_ms {
            self.fail(
                problem_of_launch(&format!("the engines did not {what} within {} s", timeout_ms / 1000)),
                now,
                actions,
            );
        }
    }

    fn send_start(&self, actions: &mut Vec<Action>) {
        let Some(run) = self.run() else { return };
        let peers: Vec<SocketAddr> = run
            .members()
            .filter_map(|worker| Some(SocketAddr::new(self.workers.get(&worker)?.address, *run.ports.get(&worker)?)))
            .collect();
        for worker in run.members() {
            let Some(connected) = self.workers.get(&worker) else { continue };
            let start = EngineStart {
                job: (*run.spec).clone(),
                incarnation: run.incarnation(),
                worker,
                peers: peers.clone(),
                restore: run.claim.restore.clone(),
                commit: run.claim.commit.as_ref().map(|(_, commit)| commit.clone()),
            };
            let command = EngineCommand::Start(Box::new(start));
            let message = ToWorker::Engine { incarnation: run.incarnation(), command };
            actions.push(Action::Send { connection: connected.connection, message });
        }
    }
}

impl Run {
    fn new(spec: Arc<JobSpec>, cause: Cause, claim: StartClaim, now: u64) -> Self {
        let commit = claim.commit.as_ref().map(|(sequence, commit)| replayed(*sequence, commit, spec.workers, now));
        Self {
            next_sequence: claim.sequence + 1,
            last_checkpoint: claim.last_checkpoint,
            launched_at: now,
            ports: BTreeMap::new(),
            start_sent: false,
            running: BTreeSet::new(),
            running_since: None,
            checkpoint: None,
            commit,
            checkpoint_began_at: now,
            checkpoint_ended_at: now,
            progress: BTreeMap::new(),
            finished: BTreeSet::new(),
            swept: false,
            spec,
            cause,
            claim,
        }
    }
}

/// The commit that an earlier incarnation may not have finished.
fn replayed(sequence: u64, commit: &PendingCommit, workers: u32, now: u64) -> Commit {
    Commit {
        id: commit.checkpoint,
        sequence,
        then: Then::Continue,
        names: Vec::new(),
        since: now,
        waiting: (0..workers).collect(),
        summary: None,
        recording: false,
    }
}

/// The old code at the old size, with the newest settings. What was asked to restore belongs to the new spec.
fn with_settings(previous: &JobSpec, wanted: &JobSpec) -> Arc<JobSpec> {
    Arc::new(JobSpec { checkpoint: wanted.checkpoint.clone(), restarts: wanted.restarts.clone(), ..previous.clone() })
}

fn problem_of_launch(message: &str) -> Problem {
    Problem {
        kind: ProblemKind::WorkerLost,
        object: "engines".to_string(),
        message: message.to_string(),
        remedy: "the start is repeated; look at the workers' logs and at the network between them".to_string(),
    }
}
