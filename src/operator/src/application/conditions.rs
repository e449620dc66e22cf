//! The conditions of an Application. kstatus' three (`Ready` always, `Reconciling` and `Stalled` only while true) and
//! ours. A new condition is one variant of [`ConditionType`] and one arm of [`judge`].

use jiff::Timestamp;
use tidemill_model::status::{JobPhase, JobStatus, Problem};

use super::plan::{Goal, Plan, goal};
use super::world::World;
use crate::compile::{Rejection, parse_millis};
use crate::resources::{ApplicationStatus, Condition, ConditionStatus, Moment, OperationKind, set_condition};

/// All conditions of an Application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The application is as its spec asks: running well, or stopped.
    Ready,
    /// A change is under way.
    Reconciling,
    /// Nothing will get better without a person.
    Stalled,
    /// The spec can be run: SQL, Streams, Secrets and settings.
    Accepted,
    /// Records are being processed.
    Processing,
    /// There is a recent checkpoint to go on from.
    StateSafe,
    /// Something is wrong with the running job.
    Degraded,
    /// The plan keeps more and more as long as new rows come; only while that is so. A warning: the job runs.
    StateUnbounded,
}

impl ConditionType {
    pub const ALL: [Self; 8] = [
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::Accepted,
        Self::Processing,
        Self::StateSafe,
        Self::Degraded,
        Self::StateUnbounded,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Accepted => "Accepted",
            Self::Processing => "Processing",
            Self::StateSafe => "StateSafe",
            Self::Degraded => "Degraded",
            Self::StateUnbounded => "StateUnbounded",
        }
    }
}

/// What is said of one aspect; none leaves the condition out.
type Judgement = Option<(ConditionStatus, String, String)>;

/// Brings the conditions in `status` up to date; all else in it is already.
pub(super) fn update(status: &mut ApplicationStatus, world: &World, plan: &Plan) {
    for type_ in ConditionType::ALL {
        match judge(type_, status, world, plan) {
            Some((value, reason, message)) => set_condition(
                &mut status.conditions,
                Condition {
                    type_: type_.name().into(),
                    status: value,
                    reason,
                    message: shortened(message),
                    last_transition_time: Moment::new(world.now),
                    observed_generation: world.generation(),
                },
            ),
            None => status.conditions.retain(|condition| condition.type_ != type_.name()),
        }
    }
}

fn judge(type_: ConditionType, status: &ApplicationStatus, world: &World, plan: &Plan) -> Judgement {
    match type_ {
        ConditionType::Ready => Some(ready(status, world, plan)),
        ConditionType::Reconciling => reconciling(plan),
        ConditionType::Stalled => stalled(world, plan),
        ConditionType::Accepted => accepted(world),
        ConditionType::Processing => Some(processing(world, plan)),
        ConditionType::StateSafe => Some(state_safe(status, world)),
        ConditionType::Degraded => Some(degraded(world)),
        ConditionType::StateUnbounded => state_unbounded(world),
    }
}

fn ready(status: &ApplicationStatus, world: &World, plan: &Plan) -> (ConditionStatus, String, String) {
    let no = |reason: &str, message: String| (ConditionStatus::False, reason.to_string(), message);
    if let (Goal::Keep, Err(rejections)) = (goal(world), &world.accepted) {
        return no("NotAccepted", format!("the spec cannot be run: {}", first_message(rejections)));
    }
    if let Some(operation) = &plan.operation {
        return no(kind_name(operation.kind), format!("waiting for {}", operation.step));
    }
    match (goal(world), world.observed.job.status()) {
        (Goal::StayFinished, _) => yes("Finished", "all input is processed".into()),
        (Goal::Stop(_), _) => yes("Stopped", stopped_message(status)),
        (Goal::Run(_) | Goal::Keep | Goal::Delete, None) => no("Unknown", "the job does not answer".into()),
        (Goal::Run(_) | Goal::Keep | Goal::Delete, Some(job)) => match (&job.phase, job.problems.first()) {
            (JobPhase::Running, None) => yes("Running", format!("version {} runs on {} KPU", job.version, job.workers)),
            (_, Some(problem)) => no(problem.kind.name(), problem.to_string()),
            (phase, None) => no("Restarting", format!("the job is {phase:?}")),
        },
    }
}

fn yes(reason: &str, message: String) -> (ConditionStatus, String, String) {
    (ConditionStatus::True, reason.into(), message)
}

fn stopped_message(status: &ApplicationStatus) -> String {
    match &status.state.last_checkpoint {
        Some(checkpoint) => format!("stopped as asked for; it resumes from checkpoint {}", checkpoint.id),
        None => "stopped as asked for; it has no state yet".into(),
    }
}

fn reconciling(plan: &Plan) -> Judgement {
    let operation = plan.operation.as_ref()?;
    Some((ConditionStatus::True, kind_name(operation.kind).into(), format!("waiting for {}", operation.step)))
}

fn stalled(world: &World, plan: &Plan) -> Judgement {
    if let (Goal::Keep, Err(rejections)) = (goal(world), &world.accepted) {
        let reason = rejections.first().map_or("NotAccepted", |rejection| rejection.reason.name());
        return Some((ConditionStatus::True, reason.into(), first_message(rejections)));
    }
    let operation = plan.operation.as_ref().filter(|operation| operation.deadline.timestamp() < world.now)?;
    let message = format!(
        "the time for this is over, still waiting for {}; the operator goes on trying, and every change of the spec is taken up",
        operation.step
    );
    Some((ConditionStatus::True, "DeadlineExceeded".into(), message))
}

fn accepted(world: &World) -> Judgement {
    if world.app.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some(match &world.accepted {
        Ok(compiled) if compiled.warnings.is_empty() => yes("Valid", format!("version {}", compiled.job.version)),
        Ok(compiled) => yes("ValidWithWarnings", compiled.warnings.join("; ")),
        Err(rejections) => {
            let reason = rejections.first().map_or("Internal", |rejection| rejection.reason.name());
            let all: Vec<&str> = rejections.iter().map(|rejection| rejection.message.as_str()).collect();
            (ConditionStatus::False, reason.into(), all.join("; "))
        }
    })
}

fn state_unbounded(world: &World) -> Judgement {
    let compiled = world.accepted.as_ref().ok().filter(|compiled| !compiled.growing.is_empty())?;
    (world.app.metadata.deletion_timestamp.is_none())
        .then(|| (ConditionStatus::True, "GrowsWithoutBound".into(), compiled.growing.join("; ")))
}

fn processing(world: &World, plan: &Plan) -> (ConditionStatus, String, String) {
    let no = |reason: &str, message: &str| (ConditionStatus::False, reason.to_string(), message.to_string());
    match world.observed.job.status() {
        Some(job) if job.phase == JobPhase::Running && job.first_record_at_ms.is_some() => {
            yes("RecordsProcessed", "records are being processed".into())
        }
        Some(job) if job.phase == JobPhase::Running => no("NoRecordsYet", "the job runs and has seen no record yet"),
        Some(_) | None if plan.finished.is_some() => no("Finished", "all input is processed"),
        Some(_) | None => no("NotRunning", "the job does not run"),
    }
}

fn state_safe(status: &ApplicationStatus, world: &World) -> (ConditionStatus, String, String) {
    let Some(last) = &status.state.last_checkpoint else {
        return (ConditionStatus::False, "NoCheckpoint".into(), "no checkpoint has been completed yet".into());
    };
    let runs = world.observed.job.status().is_some_and(|job| runs_now(&job.phase));
    if runs && is_overdue(world, last.at, world.now) {
        let message =
            "the last checkpoint is more than three intervals old; see the condition Degraded and the workers' logs";
        return (ConditionStatus::False, "CheckpointOverdue".into(), message.into());
    }
    yes("CheckpointComplete", "the application can go on from its last checkpoint".into())
}

fn runs_now(phase: &JobPhase) -> bool {
    match phase {
        JobPhase::Starting | JobPhase::Running | JobPhase::Rescaling | JobPhase::Restarting | JobPhase::Stopping => {
            true
        }
        JobPhase::Stopped { .. } | JobPhase::Finished | JobPhase::Fenced => false,
    }
}

fn is_overdue(world: &World, last: Moment, now: Timestamp) -> bool {
    let interval = parse_millis(&world.app.spec.checkpoint.interval).unwrap_or(60_000);
    last.seconds_until(now) > (3 * interval / 1000).max(30) as i64
}

fn degraded(world: &World) -> (ConditionStatus, String, String) {
    if let Some(trouble) = super::run::trouble(world) {
        return (ConditionStatus::True, "PodsNotRunning".into(), trouble);
    }
    match world.observed.job.status() {
        Some(JobStatus { problems, .. }) if !problems.is_empty() => {
            let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
            (ConditionStatus::True, problems[0].kind.name().into(), all.join("; "))
        }
        Some(_) | None => (ConditionStatus::False, "AsExpected".into(), "nothing is wrong".into()),
    }
}

fn kind_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Start => "Starting",
        OperationKind::Update => "Updating",
        OperationKind::Scale => "Scaling",
        OperationKind::Replace => "Replacing",
        OperationKind::Stop => "Stopping",
        OperationKind::ForceStop => "ForceStopping",
        OperationKind::Delete => "Deleting",
    }
}

fn first_message(rejections: &[Rejection]) -> String {
    rejections.first().map(|rejection| rejection.message.clone()).unwrap_or_default()
}

/// The API server allows a message 32768 characters; people stop reading long before.
fn shortened(message: String) -> String {
    const MOST: usize = 2000;
    if message.chars().count() <= MOST {
        return message;
    }
    message.chars().take(MOST).chain(" …".chars()).collect()
}
