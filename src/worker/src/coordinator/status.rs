//! What the coordinator tells the world, derived from what it knows.

use std::collections::BTreeMap;

use tidemill_model::control::EngineProgress;
use tidemill_model::status::{JobPhase, JobStatus, Problem, ProblemKind, SinkStatus, SourceStatus};

use super::state::{Cause, Coordinator, End, Intent, Phase, Run, Then};

/// A failure is shown at least this long after the engines run again, so that a failing job does not look well in
/// between; and no longer than until a checkpoint completes.
const FAILURE_SHOWN_MS: u64 = 30_000;
/// Workers that are not there after this long are a problem.
const WORKERS_MISSED_AFTER_MS: u64 = 20_000;
/// A stop that has taken no snapshot after this long is a problem.
const STOP_PATIENCE_MS: u64 = 60_000;

impl Coordinator {
    /// The status without a revision; see [`advance`].
    pub fn status(&self, now: u64) -> JobStatus {
        let run = self.run();
        let spec = run.map(|run| &run.spec).or(self.previous.as_ref()).unwrap_or(&self.wanted);
        let progress: Vec<&EngineProgress> = match &self.phase {
            Phase::Engaged(run) => run.progress.values().collect(),
            Phase::Ended(_) => self.history.progress.values().collect(),
            Phase::Waiting { .. } | Phase::Claiming { .. } => Vec::new(),
        };
        JobStatus {
            revision: 0,
            phase: self.job_phase(),
            version: spec.version.clone(),
            incarnation: run.map(Run::incarnation).unwrap_or(self.history.incarnation),
            workers: spec.workers,
            threads_per_worker: spec.threads_per_worker,
            workers_connected: self.workers.len() as u32,
            restarts: self.history.restarts,
            problems: self.problems(now),
            last_checkpoint: self.history.last_checkpoint.clone(),
            restored_from: run.and_then(|run| run.claim.restored_from),
            checkpoints_failed: self.history.checkpoints_failed,
            checkpoints_completed: self.history.checkpoints_completed,
            first_record_at_ms: progress.iter().filter_map(|progress| progress.first_record_at_ms).min(),
            sources: merge_sources(&progress),
            sinks: merge_sinks(&progress),
            late: merge_late(&progress),
            snapshots: self.snapshots.clone(),
        }
    }

    fn job_phase(&self) -> JobPhase {
        let of_cause = |cause| match cause {
            Cause::Start => JobPhase::Starting,
            Cause::Failure => JobPhase::Restarting,
            Cause::Move => JobPhase::Rescaling,
        };
        match (&self.phase, self.intent) {
            (Phase::Ended(End::Stopped { snapshot }), _) => JobPhase::Stopped { snapshot: snapshot.clone() },
            (Phase::Ended(End::Finished { .. }), _) => JobPhase::Finished,
            (Phase::Ended(End::Fenced), _) => JobPhase::Fenced,
            (_, Intent::Stop { .. }) => JobPhase::Stopping,
            (Phase::Waiting { cause, .. } | Phase::Claiming { cause, .. }, Intent::Run) => of_cause(*cause),
            (Phase::Engaged(run), Intent::Run) if run.running_since.is_none() => of_cause(run.cause),
            (Phase::Engaged(run), Intent::Run) if run.heading() == Some(Then::Move) => JobPhase::Rescaling,
            (Phase::Engaged(_), Intent::Run) => JobPhase::Running,
        }
    }

    /// What is wrong now, worst first, each once.
    fn problems(&self, now: u64) -> Vec<Problem> {
        if matches!(self.phase, Phase::Ended(End::Stopped { .. } | End::Finished { .. })) {
            return Vec::new();
        }
        let failure = self.history.failure.clone().filter(|_| self.shows_failure(now));
        let stop = self.stop_overdue(now);
        let workers = self.workers_missed(now);
        let checkpoint = self.history.checkpoint_problem.clone();
        let engines =
            self.run().into_iter().flat_map(|run| run.progress.values()).flat_map(|progress| progress.problems.clone());
        let mut problems: Vec<Problem> = Vec::new();
        for problem in failure.into_iter().chain(stop).chain(workers).chain(checkpoint).chain(engines) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }

    fn shows_failure(&self, now: u64) -> bool {
        match self.run().and_then(|run| run.running_since.map(|since| (run, since))) {
            None => true,
            Some((run, since)) => now < since + FAILURE_SHOWN_MS && run.checkpoint_ended_at <= since,
        }
    }

    fn stop_overdue(&self, now: u64) -> Option<Problem> {
        let Intent::Stop { since } = self.intent else { return None };
        (now >= since + STOP_PATIENCE_MS).then(|| Problem {
            kind: ProblemKind::StateUnreadable,
            object: "stop".to_string(),
            message: format!("no snapshot could be taken within {} s of the request to stop", STOP_PATIENCE_MS / 1000),
            remedy: "mend what the other problems say, or stop by force and resume from the last checkpoint"
                .to_string(),
        })
    }

    fn workers_missed(&self, now: u64) -> Option<Problem> {
        let Phase::Waiting { since, not_before, .. } = &self.phase else { return None };
        let wanted = self.wanted.workers;
        let missing: Vec<String> =
            (0..wanted).filter(|worker| !self.workers.contains_key(worker)).map(|worker| worker.to_string()).collect();
        if missing.is_empty() || now < *not_before || now < since + WORKERS_MISSED_AFTER_MS {
            return None;
        }
        Some(Problem {
            kind: ProblemKind::WorkerLost,
            object: format!("worker {}", missing.join(", ")),
            message: format!("{} of {wanted} workers are not connected", missing.len()),
            remedy: "look at why their pods do not run, such as missing CPU or memory in the cluster".to_string(),
        })
    }
}

/// Gives `next` the revision that it has after `last`: a higher one if more than counters has changed.
pub(super) fn advance(last: &JobStatus, mut next: JobStatus) -> JobStatus {
    let changed = without_counters(last) != without_counters(&next);
    next.revision = if changed { last.revision + 1 } else { last.revision };
    next
}

fn without_counters(status: &JobStatus) -> JobStatus {
    let sources = status.sources.iter().map(|source| SourceStatus {
        table: source.table.clone(),
        finished: source.finished,
        ..SourceStatus::default()
    });
    let sinks = status.sinks.iter().map(|sink| SinkStatus { table: sink.table.clone(), ..SinkStatus::default() });
    JobStatus {
        revision: 0,
        sources: sources.collect(),
        sinks: sinks.collect(),
        late: BTreeMap::new(),
        ..status.clone()
    }
}

fn merge_sources(progress: &[&EngineProgress]) -> Vec<SourceStatus> {
    let mut merged: BTreeMap<String, SourceStatus> = BTreeMap::new();
    for part in progress.iter().flat_map(|progress| &progress.sources) {
        match merged.get_mut(&part.table) {
            None => {
                merged.insert(part.table.clone(), part.clone());
            }
            Some(whole) => add_source(whole, part),
        }
    }
    merged.into_values().collect()
}

fn add_source(whole: &mut SourceStatus, part: &SourceStatus) {
    whole.records += part.records;
    whole.bytes += part.bytes;
    whole.undecodable += part.undecodable;
    whole.lag_records = either(whole.lag_records, part.lag_records, |a, b| a + b);
    whole.millis_behind_latest = either(whole.millis_behind_latest, part.millis_behind_latest, u64::max);
    whole.watermark_ms = either(whole.watermark_ms, part.watermark_ms, i64::min);
    whole.finished &= part.finished;
}

/// A worker without splits of the source says nothing, which must not hide what the others say.
fn either<T>(a: Option<T>, b: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (one, other) => one.or(other),
    }
}

fn merge_late(progress: &[&EngineProgress]) -> BTreeMap<String, u64> {
    let mut merged = BTreeMap::new();
    for (operator, rows) in progress.iter().flat_map(|progress| &progress.late) {
        *merged.entry(operator.clone()).or_default() += rows;
    }
    merged
}

fn merge_sinks(progress: &[&EngineProgress]) -> Vec<SinkStatus> {
    let mut merged: BTreeMap<String, SinkStatus> = BTreeMap::new();
    for part in progress.iter().flat_map(|progress| &progress.sinks) {
        let whole = merged
            .entry(part.table.clone())
            .or_insert_with(|| SinkStatus { table: part.table.clone(), ..SinkStatus::default() });
        whole.records += part.records;
        whole.bytes += part.bytes;
    }
    merged.into_values().collect()
}
