//! Carries out a plan's actions, one call each. Makes no choices; every call may be repeated.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tidemill_model::status::Problem;

use super::fetch::{coordinator_ip, final_snapshot_name, storage};
use super::plan::{Action, FINALIZER};
use super::world::World;
use crate::context::{Context, FIELD_MANAGER};
use crate::job_api::{self, JobApiError};
use crate::resources::{
    Application, ApplicationSnapshot, ApplicationSnapshotSpec, ApplicationStatus, LocalRef, SnapshotDeletionPolicy,
};
use crate::{children, compile, state};

/// Why an action did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("failed to write the {kind} `{name}`")]
    Write { kind: &'static str, name: String, source: Box<kube::Error> },
    #[error("failed to give the job an order")]
    Job(#[from] JobApiError),
    #[error("failed to give the job an order: worker 0 is gone")]
    NoCoordinator,
    #[error("failed to remove the application's state")]
    State(#[from] Problem),
}

impl ApplyError {
    /// Somebody else has changed the object: look at it anew.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Write { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code == 409))
    }
}

/// Carries out one action.
pub async fn apply(context: &Context, world: &World, action: &Action) -> Result<(), ApplyError> {
    let app = &world.app;
    match action {
        Action::AddFinalizer => set_finalizers(context, app, with(app)).await,
        Action::RemoveFinalizer => set_finalizers(context, app, without(app)).await,
        Action::ApplyServiceAccount => match children::service_account(app) {
            Some(account) => write::<ServiceAccount>(context, "ServiceAccount", &account).await,
            None => Ok(()),
        },
        Action::ApplyService => write(context, "Service", &children::service(app)).await,
        Action::ApplyJobSecret(job) => write(context, "Secret", &children::job_secret(app, job)).await,
        Action::ApplyStatefulSet { replicas } => {
            write(context, "StatefulSet", &children::stateful_set(app, &context.settings, *replicas)).await
        }
        Action::PutJob(job) => {
            context.metrics.wrote("Job");
            Ok(context.jobs.put_job(&coordinator(world)?, job).await?)
        }
        Action::StopJob(mode) => {
            context.metrics.wrote("Job");
            Ok(context.jobs.stop(&coordinator(world)?, *mode).await?)
        }
        Action::CreateFinalSnapshot => create_final_snapshot(context, app).await,
        Action::RemoveState => match storage(context, app).await {
            Some(storage) => Ok(state::remove_state(&storage, &compile::application_id(app)).await?),
            None => Ok(()),
        },
    }
}

fn coordinator(world: &World) -> Result<String, ApplyError> {
    coordinator_ip(&world.observed.pods).map(job_api::address).ok_or(ApplyError::NoCoordinator)
}

/// Server-side apply: fields that others own stay, ours are as the object says.
async fn write<K>(context: &Context, kind: &'static str, object: &K) -> Result<(), ApplyError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
{
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    context.metrics.wrote(kind);
    let written = api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object)).await;
    written.map(|_| ()).map_err(|source| ApplyError::Write { kind, name, source: Box::new(source) })
}

fn applications(context: &Context, app: &Application) -> Api<Application> {
    Api::namespaced(context.client.clone(), &app.namespace().unwrap_or_default())
}

fn with(app: &Application) -> Vec<String> {
    app.finalizers().iter().cloned().chain([FINALIZER.to_string()]).collect()
}

fn without(app: &Application) -> Vec<String> {
    app.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect()
}

/// The resource version makes sure that nobody else's finalizer is lost.
async fn set_finalizers(context: &Context, app: &Application, finalizers: Vec<String>) -> Result<(), ApplyError> {
    let patch = json!({"metadata": {"resourceVersion": app.resource_version(), "finalizers": finalizers}});
    context.metrics.wrote("Application");
    let written =
        applications(context, app).patch(&app.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await;
    match written {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(failed_application(app, source)),
        Ok(_) => Ok(()),
    }
}

/// Writes the status as a whole, unless somebody has changed the object since it was read.
pub async fn write_status(
    context: &Context,
    app: &Application,
    status: ApplicationStatus,
) -> Result<Application, ApplyError> {
    let mut app = app.clone();
    app.status = Some(status);
    context.metrics.wrote("ApplicationStatus");
    let written = applications(context, &app).replace_status(&app.name_any(), &PostParams::default(), &app).await;
    written.map_err(|source| failed_application(&app, source))
}

fn failed_application(app: &Application, source: kube::Error) -> ApplyError {
    ApplyError::Write { kind: "Application", name: app.name_any(), source: Box::new(source) }
}

/// A namespace that is being deleted takes no new objects; the deletion goes on without.
async fn create_final_snapshot(context: &Context, app: &Application) -> Result<(), ApplyError> {
    let name = final_snapshot_name(app);
    let mut snapshot = ApplicationSnapshot::new(
        &name,
        ApplicationSnapshotSpec {
            application_ref: LocalRef { name: app.name_any() },
            description: Some("the last state before the Application was deleted".into()),
            deletion_policy: SnapshotDeletionPolicy::Delete,
        },
    );
    snapshot.metadata.namespace = app.namespace();
    let api: Api<ApplicationSnapshot> = Api::namespaced(context.client.clone(), &app.namespace().unwrap_or_default());
    context.metrics.wrote("ApplicationSnapshot");
    match api.create(&PostParams::default(), &snapshot).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 403 => Ok(()),
        Err(source) => Err(ApplyError::Write { kind: "ApplicationSnapshot", name, source: Box::new(source) }),
    }
}
