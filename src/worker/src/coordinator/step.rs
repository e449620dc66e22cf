//! The step: an event updates the facts, then [`Coordinator::advance`] looks at all of them.

use tidemill_model::Incarnation;
use tidemill_model::control::{EngineEvent, ToWorker};
use tidemill_model::job::RestartSpec;
use tidemill_model::status::{Problem, ProblemKind};

use super::state::{
    Action, Cause, Connected, ConnectionId, Coordinator, End, Event, Intent, Phase, Run, StartFault, StorageReply,
};

impl Coordinator {
    /// What the event changes and what is to be done about it.
    pub fn step(mut self, event: Event, now: u64) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        self.note(event, now, &mut actions);
        self.advance(now, &mut actions);
        (self, actions)
    }

    fn note(&mut self, event: Event, now: u64, actions: &mut Vec<Action>) {
        match event {
            Event::Joined { worker, connection, address } => {
                self.joined(worker, Connected { connection, address }, now, actions)
            }
            Event::Left { connection, detail } => self.left(connection, &detail, now, actions),
            Event::Engine { connection, incarnation, event } => {
                if let Some(worker) = self.member(connection, incarnation) {
                    self.engine_said(worker, event, now, actions);
                }
            }
            Event::Exited { connection, incarnation, detail } => {
                if let Some(worker) = self.member(connection, incarnation) {
                    let problem = worker_lost(worker, &format!("the engine ended: {detail}"));
                    self.fail(problem, now, actions);
                }
            }
            Event::Storage(reply) => self.storage_said(reply, now, actions),
            Event::Request(request) => self.requested(request, now, actions),
            Event::Tick => {}
        }
    }

    /// One look at all the facts: what can be done now?
    fn advance(&mut self, now: u64, actions: &mut Vec<Action>) {
        match &self.phase {
            Phase::Waiting { not_before, cause, .. } if now >= *not_before => self.claim_start(*cause, now, actions),
            Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Ended(_) => {}
            Phase::Engaged(run) if run.running_since.is_none() => self.advance_launch(now, actions),
            Phase::Engaged(_) => self.advance_checkpoints(now, actions),
        }
    }

    fn joined(&mut self, worker: u32, connected: Connected, now: u64, actions: &mut Vec<Action>) {
        if let Some(older) = self.workers.get(&worker).map(|older| older.connection) {
            // the worker came back before the loss of its old connection was noticed
            actions.push(Action::Close { connection: older });
            self.left(older, "the worker connected anew", now, actions);
        }
        self.workers.insert(worker, connected);
    }

    fn left(&mut self, connection: ConnectionId, detail: &str, now: u64, actions: &mut Vec<Action>) {
        let Some(worker) = self.worker_of(connection) else { return };
        self.workers.remove(&worker);
        if self.run().is_some_and(|run| run.members().contains(&worker)) {
            self.fail(worker_lost(worker, &format!("the connection to the worker was lost: {detail}")), now, actions);
        }
    }

    fn engine_said(&mut self, worker: u32, event: EngineEvent, now: u64, actions: &mut Vec<Action>) {
        if let EngineEvent::Failed(problem) = event {
            return self.fail(problem, now, actions);
        }
        let Phase::Engaged(run) = &mut self.phase else { return };
        match event {
            EngineEvent::Listening { port } => {
                run.ports.insert(worker, port);
            }
            EngineEvent::Running => {
                run.running.insert(worker);
            }
            EngineEvent::CheckpointAt { id, epoch } => {
                if let Some(checkpoint) = run.checkpoint.as_mut().filter(|checkpoint| checkpoint.id == id) {
                    checkpoint.epoch = Some(epoch);
                }
            }
            EngineEvent::Captured { id, capture } => {
                if let Some(checkpoint) = run.checkpoint.as_mut().filter(|checkpoint| checkpoint.id == id) {
                    checkpoint.captures.insert(worker, capture);
                }
            }
            EngineEvent::Committed { id } => {
                if let Some(commit) = run.commit.as_mut().filter(|commit| commit.id == id) {
                    commit.waiting.remove(&worker);
                }
            }
            EngineEvent::Progress(progress) => {
                run.progress.insert(worker, progress);
            }
            EngineEvent::Finished => {
                run.finished.insert(worker);
            }
            EngineEvent::Failed(_) => {}
        }
    }

    fn storage_said(&mut self, reply: StorageReply, now: u64, actions: &mut Vec<Action>) {
        match reply {
            StorageReply::StartClaimed(outcome) => self.start_claimed(outcome, now, actions),
            StorageReply::Published { incarnation, checkpoint, outcome } => {
                if self.run().is_some_and(|run| run.incarnation() == incarnation) {
                    self.published(checkpoint, outcome, now, actions);
                }
            }
            StorageReply::CommitRecorded { incarnation, sequence, pins } => {
                self.pinned(pins);
                if self.run().is_some_and(|run| run.incarnation() == incarnation) {
                    self.commit_recorded(sequence, now, actions);
                }
            }
            StorageReply::PinRead { name, outcome } => self.pin_read(name, outcome),
        }
    }

    fn start_claimed(
        &mut self,
        outcome: Result<super::state::StartClaim, StartFault>,
        now: u64,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Claiming { spec, cause } = &self.phase else { return };
        let (spec, cause) = (spec.clone(), *cause);
        match outcome {
            Ok(claim) => self.spawn(spec, cause, claim, now, actions),
            Err(StartFault::Fenced { by }) => self.fenced(by, actions),
            Err(StartFault::Failed(problem)) => self.wait_after(problem, cause, now),
        }
    }

    /// Ends the incarnation; the next one begins after a while.
    pub(super) fn fail(&mut self, problem: Problem, now: u64, actions: &mut Vec<Action>) {
        let Some(run) = self.run() else { return };
        let ran_well = run.running_since.is_some_and(|since| now >= since + run.spec.restarts.reset_after_ms);
        let names: Vec<String> = run.names_under_way().cloned().collect();
        if ran_well {
            self.history.failures_in_a_row = 0;
        }
        self.kill(actions);
        self.history.restarts += 1;
        self.snapshots_waiting.extend(names);
        self.wait_after(problem, Cause::Failure, now);
    }

    fn wait_after(&mut self, problem: Problem, cause: Cause, now: u64) {
        let delay = restart_delay(&self.wanted.restarts, self.history.failures_in_a_row);
        self.history.failures_in_a_row += 1;
        self.history.failure = Some(problem);
        self.phase = Phase::Waiting { since: now, not_before: now + delay, cause };
    }

    pub(super) fn fenced(&mut self, by: Incarnation, actions: &mut Vec<Action>) {
        self.kill(actions);
        self.end(End::Fenced);
        actions.push(Action::Exit {
            reason: format!("fenced by incarnation {by}: another coordinator runs this application"),
        });
    }

    /// Tells every worker of the present incarnation to kill its engine.
    pub(super) fn kill(&mut self, actions: &mut Vec<Action>) {
        if let Some(run) = self.run() {
            let message = ToWorker::Kill { incarnation: run.incarnation() };
            self.send_to(run, &message, actions);
        }
    }

    pub(super) fn send_to(&self, run: &Run, message: &ToWorker, actions: &mut Vec<Action>) {
        for connected in run.members().filter_map(|worker| self.workers.get(&worker)) {
            actions.push(Action::Send { connection: connected.connection, message: message.clone() });
        }
    }

    pub(super) fn end(&mut self, end: End) {
        self.intent = Intent::Run;
        self.fail_open_snapshots();
        if let Phase::Engaged(run) = &mut self.phase {
            self.history.progress = std::mem::take(&mut run.progress);
        }
        self.phase = Phase::Ended(end);
    }

    pub(super) fn run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Engaged(run) => Some(run),
            Phase::Waiting { .. } | Phase::Claiming { .. } | Phase::Ended(_) => None,
        }
    }

    /// The worker behind the connection, if it takes part in the present incarnation and speaks of that one.
    fn member(&self, connection: ConnectionId, incarnation: Incarnation) -> Option<u32> {
        let run = self.run().filter(|run| run.incarnation() == incarnation)?;
        self.worker_of(connection).filter(|worker| run.members().contains(worker))
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn restart_delay(restarts: &RestartSpec, failures_in_a_row: u32) -> u64 {
    let doubled = restarts.initial_delay_ms.saturating_mul(1 << failures_in_a_row.min(32));
    doubled.min(restarts.max_delay_ms.max(restarts.initial_delay_ms))
}

pub(super) fn worker_lost(worker: u32, message: &str) -> Problem {
    Problem {
        kind: ProblemKind::WorkerLost,
        object: format!("worker {worker}"),
        message: message.to_string(),
        remedy: "the job restarts from its last checkpoint by itself; if this repeats, look at the worker's log"
            .to_string(),
    }
}
