//! Carries out a snapshot's plan, one call per action. Makes no choices; every call may be repeated.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tidemill_model::job::{ApplicationId, StorageSpec};
use tidemill_model::status::Problem;

use super::plan::{SNAPSHOT_FINALIZER, SnapshotAction, SnapshotWorld, pin_name};
use crate::application::storage_at;
use crate::context::Context;
use crate::job_api::{self, JobApiError};
use crate::resources::{ApplicationSnapshot, ApplicationSnapshotStatus};
use crate::state;

/// Why an action did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotApplyError {
    #[error("failed to write the snapshot `{name}`")]
    Write { name: String, source: Box<kube::Error> },
    #[error("failed to ask the job for a snapshot")]
    Job(#[from] JobApiError),
    #[error("failed to ask the job for a snapshot: worker 0 is gone")]
    NoCoordinator,
    #[error("failed to handle the snapshot's state")]
    State(#[from] Problem),
    #[error("the storage of the snapshot `{name}` is not known any more, or its Secret is missing")]
    NoStorage { name: String },
}

pub async fn apply(
    context: &Context,
    world: &SnapshotWorld,
    action: &SnapshotAction,
) -> Result<(), SnapshotApplyError> {
    let snapshot = &world.snapshot;
    match action {
        SnapshotAction::AddFinalizer => {
            let finalizers = snapshot.finalizers().iter().cloned().chain([SNAPSHOT_FINALIZER.to_string()]).collect();
            set_finalizers(context, snapshot, finalizers).await
        }
        SnapshotAction::RemoveFinalizer => {
            let finalizers = snapshot.finalizers().iter().filter(|name| *name != SNAPSHOT_FINALIZER).cloned().collect();
            set_finalizers(context, snapshot, finalizers).await
        }
        SnapshotAction::Request => {
            let address = coordinator(context, world).await?;
            context.metrics.wrote("Job");
            Ok(context.jobs.snapshot(&address, &pin_name(snapshot)).await?)
        }
        SnapshotAction::WritePin(pin) => {
            let storage = storage(context, world).await?;
            let Some(id) = application_id(world) else { return Ok(()) };
            Ok(state::write_pin(&storage, &id, &pin_name(snapshot), pin).await?)
        }
        SnapshotAction::RemovePin => match application_id(world) {
            Some(id) => Ok(state::remove_pin(&storage(context, world).await?, &id, &pin_name(snapshot)).await?),
            // It never came to be.
            None => Ok(()),
        },
    }
}

/// Whose state it is: the Application may be gone, or another one may have its name.
fn application_id(world: &SnapshotWorld) -> Option<ApplicationId> {
    let uid = world.snapshot.status.as_ref().and_then(|status| status.application_uid.clone());
    let uid = uid.or_else(|| world.application.as_ref().and_then(ResourceExt::uid))?;
    let name = world.snapshot.spec.application_ref.name.clone();
    Some(ApplicationId { namespace: world.snapshot.namespace().unwrap_or_default(), name, uid })
}

async fn storage(context: &Context, world: &SnapshotWorld) -> Result<StorageSpec, SnapshotApplyError> {
    let snapshot = &world.snapshot;
    let status = snapshot.status.clone().unwrap_or_default();
    let own = status.storage.or_else(|| world.application.as_ref().and_then(|app| app.spec.checkpoint.storage.clone()));
    let storage = storage_at(context, &snapshot.namespace().unwrap_or_default(), own.as_ref()).await;
    storage.ok_or_else(|| SnapshotApplyError::NoStorage { name: snapshot.name_any() })
}

async fn coordinator(context: &Context, world: &SnapshotWorld) -> Result<String, SnapshotApplyError> {
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &world.snapshot.namespace().unwrap_or_default());
    let name = format!("{}-0", world.snapshot.spec.application_ref.name);
    let pod =
        pods.get_opt(&name).await.map_err(|source| SnapshotApplyError::Write { name, source: Box::new(source) })?;
    let ip = pod.and_then(|pod| pod.status?.pod_ip).ok_or(SnapshotApplyError::NoCoordinator)?;
    Ok(job_api::address(&ip))
}

fn snapshots(context: &Context, snapshot: &ApplicationSnapshot) -> Api<ApplicationSnapshot> {
    Api::namespaced(context.client.clone(), &snapshot.namespace().unwrap_or_default())
}

async fn set_finalizers(
    context: &Context,
    snapshot: &ApplicationSnapshot,
    finalizers: Vec<String>,
) -> Result<(), SnapshotApplyError> {
    let patch = json!({"metadata": {"resourceVersion": snapshot.resource_version(), "finalizers": finalizers}});
    context.metrics.wrote("ApplicationSnapshot");
    let written =
        snapshots(context, snapshot).patch(&snapshot.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await;
    match written {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(SnapshotApplyError::Write { name: snapshot.name_any(), source: Box::new(source) }),
        Ok(_) => Ok(()),
    }
}

pub async fn write_status(
    context: &Context,
    snapshot: &ApplicationSnapshot,
    status: ApplicationSnapshotStatus,
) -> Result<ApplicationSnapshot, SnapshotApplyError> {
    let mut snapshot = snapshot.clone();
    snapshot.status = Some(status);
    context.metrics.wrote("ApplicationSnapshotStatus");
    let api = snapshots(context, &snapshot);
    let written = api.replace_status(&snapshot.name_any(), &PostParams::default(), &snapshot).await;
    written.map_err(|source| SnapshotApplyError::Write { name: snapshot.name_any(), source: Box::new(source) })
}
