//! All that a reconcile of an Application knows: what was read, and what the spec came to. Values only.

use jiff::Timestamp;
use tidemill_model::job::JobSpec;
use tidemill_model::status::JobStatus;

use crate::compile::{CompiledJob, Rejection};
use crate::resources::{Application, SnapshotPhase};

/// One moment of an Application.
#[derive(Clone, Debug)]
pub struct World {
    pub app: Application,
    /// What the spec came to; not asked for while the Application is being deleted.
    pub accepted: Result<CompiledJob, Vec<Rejection>>,
    /// The children as they should be.
    pub desired: DesiredChildren,
    pub observed: Observed,
    pub now: Timestamp,
}

/// Hashes of the children as they should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredChildren {
    /// None if the user brings one.
    pub service_account: Option<String>,
    pub service: String,
    /// Of the pod template; the number of pods is decided by the plan.
    pub template: String,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The hash that the child was applied with; none if it does not exist.
    pub service_account: Option<String>,
    pub service: Option<String>,
    /// The job in the Secret.
    pub stored_job: Option<JobSpec>,
    pub stateful_set: Option<ObservedSet>,
    pub pods: Vec<ObservedPod>,
    pub job: JobObservation,
    /// The snapshot that is taken when the Application is deleted.
    pub final_snapshot: Option<SnapshotPhase>,
    /// The application's folder in storage holds nothing that has to go.
    pub state_removed: bool,
    /// The namespace goes, and all in it at once: nothing new can be made in it.
    pub namespace_deleting: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSet {
    pub replicas: u32,
    pub template: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPod {
    pub number: u32,
    pub ip: Option<String>,
    /// Its container runs.
    pub running: bool,
    /// Why it does not, if Kubernetes says so: reason and message.
    pub trouble: Option<(String, String)>,
    pub deleting: bool,
}

/// What the running job says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum JobObservation {
    /// Worker 0 does not run, so there is nobody to ask.
    #[default]
    NoCoordinator,
    /// Worker 0 runs but does not answer.
    Unreachable {
        error: String,
    },
    Reachable(Box<JobStatus>),
}

impl JobObservation {
    pub fn status(&self) -> Option<&JobStatus> {
        match self {
            Self::Reachable(status) => Some(status),
            Self::NoCoordinator | Self::Unreachable { .. } => None,
        }
    }
}

impl World {
    pub fn generation(&self) -> i64 {
        self.app.metadata.generation.unwrap_or_default()
    }
}
