//! What an Application's user should hear of: a Kubernetes event each, told from how the status changed. Pure.

use crate::resources::{ApplicationPhase, ApplicationStatus, Condition, ConditionStatus};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub warning: bool,
    pub reason: String,
    pub message: String,
}

/// The events that a change of status is worth.
pub fn notes(before: Option<&ApplicationStatus>, after: &ApplicationStatus) -> Vec<Note> {
    let nothing = ApplicationStatus::default();
    let before = before.unwrap_or(&nothing);
    let mut notes = Vec::new();
    for (type_, bad) in
        [("Accepted", ConditionStatus::False), ("Degraded", ConditionStatus::True), ("Stalled", ConditionStatus::True)]
    {
        notes.extend(turned(type_, bad, before, after));
    }
    notes.extend(phase_note(before, after));
    notes
}

/// A warning when a condition becomes bad, or is bad for another reason.
fn turned(type_: &str, bad: ConditionStatus, before: &ApplicationStatus, after: &ApplicationStatus) -> Option<Note> {
    let now = find(after, type_).filter(|condition| condition.status == bad)?;
    let was = find(before, type_).filter(|condition| condition.status == bad);
    if was.is_some_and(|was| was.reason == now.reason) {
        return None;
    }
    Some(Note { warning: true, reason: now.reason.clone(), message: now.message.clone() })
}

fn find<'a>(status: &'a ApplicationStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn phase_note(before: &ApplicationStatus, after: &ApplicationStatus) -> Option<Note> {
    if before.status == after.status {
        return None;
    }
    let message = find(after, "Ready").map(|ready| ready.message.clone()).unwrap_or_default();
    let reason = match after.status {
        ApplicationPhase::Running => "Running",
        ApplicationPhase::Ready if after.version.finished.is_some() => "Finished",
        ApplicationPhase::Ready => "Stopped",
        ApplicationPhase::Starting => "Starting",
        ApplicationPhase::Updating => "Updating",
        ApplicationPhase::Autoscaling => "Scaling",
        ApplicationPhase::Stopping | ApplicationPhase::ForceStopping => "Stopping",
        ApplicationPhase::Deleting => "Deleting",
    };
    Some(Note { warning: false, reason: reason.into(), message })
}
