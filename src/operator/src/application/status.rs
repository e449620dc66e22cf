//! What to say about an Application. Pure, and sparing: [`settle`] decides whether it is worth a write.

use std::time::Duration;

use jiff::Timestamp;
use tidemill_model::status::{CheckpointSummary, JobPhase, JobStatus, SourceStatus};

use super::conditions;
use super::plan::Plan;
use super::world::World;
use crate::children;
use crate::resources::{
    ApplicationStatus, JobSummary, LastCheckpoint, Moment, ScalingStatus, SourceLag, StateStatus, VersionStatus,
};

/// How often numbers alone are worth a write.
pub const SUMMARY_INTERVAL: Duration = Duration::from_secs(60);

/// The status that goes with a plan.
pub fn status(world: &World, plan: &Plan) -> ApplicationStatus {
    let before = world.app.status.clone().unwrap_or_default();
    let job = world.observed.job.status();
    let mut status = ApplicationStatus {
        observed_generation: Some(world.generation()),
        status: plan.phase,
        version: VersionStatus {
            desired: world
                .accepted
                .as_ref()
                .ok()
                .map(|compiled| compiled.job.version.clone())
                .or_else(|| deleting(world, &before)),
            running: job
                .map(|job| job.version.clone())
                .filter(|version| !version.is_empty())
                .or(before.version.running.clone()),
            finished: plan.finished.clone(),
        },
        incarnation: job.map_or(before.incarnation, |job| job.incarnation.max(before.incarnation)),
        operation: plan.operation.clone(),
        scaling: scaling(world, job, &before),
        state: state(job, &before),
        job: job.map(summary).or_else(|| before.job.clone().filter(|_| !world.observed.pods.is_empty())),
        lag: None,
        sources: job.map(|job| job.sources.iter().filter_map(source_lag).collect()).unwrap_or_default(),
        conditions: before.conditions.clone(),
    };
    status.lag = job.and_then(largest_lag);
    conditions::update(&mut status, world, plan);
    status
}

fn deleting(world: &World, before: &ApplicationStatus) -> Option<String> {
    before.version.desired.clone().filter(|_| world.app.metadata.deletion_timestamp.is_some())
}

fn scaling(world: &World, job: Option<&JobStatus>, before: &ApplicationStatus) -> ScalingStatus {
    let replicas = world.observed.pods.iter().filter(|pod| !pod.deleting).count();
    let parallelism = match job {
        Some(job) => job.workers * job.threads_per_worker,
        None if replicas == 0 => 0,
        None => before.scaling.parallelism,
    };
    ScalingStatus { replicas: replicas as u32, parallelism, selector: children::selector(&world.app) }
}

fn state(job: Option<&JobStatus>, before: &ApplicationStatus) -> StateStatus {
    let Some(job) = job else { return before.state.clone() };
    let stopped = match &job.phase {
        JobPhase::Stopped { snapshot } => snapshot.as_ref(),
        JobPhase::Starting
        | JobPhase::Running
        | JobPhase::Rescaling
        | JobPhase::Restarting
        | JobPhase::Stopping
        | JobPhase::Finished
        | JobPhase::Fenced => None,
    };
    let latest = stopped.or(job.last_checkpoint.as_ref()).map(last_checkpoint);
    let newer = |known: &LastCheckpoint| latest.as_ref().is_none_or(|latest| known.id > latest.id);
    StateStatus {
        last_checkpoint: before.state.last_checkpoint.clone().filter(newer).or(latest.clone()),
        restored_from: job.restored_from.map(|id| id.0),
    }
}

fn last_checkpoint(summary: &CheckpointSummary) -> LastCheckpoint {
    LastCheckpoint {
        id: summary.id.0,
        at: Moment::from_millis(summary.completed_at_ms),
        bytes: summary.bytes,
        duration_ms: summary.duration_ms,
        manifest: summary.manifest.clone(),
    }
}

fn summary(job: &JobStatus) -> JobSummary {
    JobSummary { restarts: job.restarts, first_record_at: job.first_record_at_ms.map(Moment::from_millis) }
}

fn source_lag(source: &SourceStatus) -> Option<SourceLag> {
    let lag = bucket(source.millis_behind_latest?);
    Some(SourceLag { name: source.table.clone(), lag: lag.into() })
}

fn largest_lag(job: &JobStatus) -> Option<String> {
    let largest = job.sources.iter().filter_map(|source| source.millis_behind_latest).max()?;
    Some(bucket(largest).into())
}

fn bucket(millis: u64) -> &'static str {
    match millis {
        0..1_000 => "<1s",
        1_000..10_000 => "<10s",
        10_000..60_000 => "<1m",
        60_000..600_000 => "<10m",
        _ => ">=10m",
    }
}

/// The status to write, if a write is worth it: when something changed that matters at once, or when numbers changed
/// and the last ones are a minute old. Numbers that do not matter at once travel along with whatever does.
pub fn settle(
    before: Option<&ApplicationStatus>,
    after: ApplicationStatus,
    now: Timestamp,
) -> Option<ApplicationStatus> {
    let Some(before) = before else { return Some(after) };
    if *before == after {
        return None;
    }
    if without_numbers(before) != without_numbers(&after) || summary_is_due(before, &after, now) {
        return Some(after);
    }
    None
}

/// Only what is worth a write at once: no lag, no checkpoint, and texts only as far as they say something else.
fn without_numbers(status: &ApplicationStatus) -> ApplicationStatus {
    let mut status = status.clone();
    status.lag = None;
    status.sources.clear();
    status.state.last_checkpoint = None;
    if let Some(operation) = &mut status.operation {
        operation.step = words(&operation.step);
    }
    for condition in &mut status.conditions {
        condition.message = words(&condition.message);
    }
    status
}

/// A text without what changes from one attempt to the next: counters, addresses, random names. All have digits.
fn words(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

/// The checkpoint's own time tells how old the summary is, so nothing has to be remembered for it.
fn summary_is_due(before: &ApplicationStatus, after: &ApplicationStatus, now: Timestamp) -> bool {
    if numbers(before) == numbers(after) {
        return false;
    }
    let last = before.state.last_checkpoint.as_ref();
    last.is_none_or(|last| last.at.seconds_until(now) >= SUMMARY_INTERVAL.as_secs() as i64)
}

fn numbers(status: &ApplicationStatus) -> (&Option<String>, &[SourceLag], &Option<LastCheckpoint>) {
    (&status.lag, &status.sources, &status.state.last_checkpoint)
}
