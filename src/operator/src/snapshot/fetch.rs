//! Reads all that a snapshot's reconcile needs. Decides nothing.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::plan::SnapshotWorld;
use crate::application::JobObservation;
use crate::children;
use crate::compile;
use crate::context::Context;
use crate::job_api;
use crate::resources::{Application, ApplicationSnapshot};

/// Why the world could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFetchError {
    #[error("failed to read the {kind} of snapshot {namespace}/{name}")]
    Read { kind: &'static str, namespace: String, name: String, source: Box<kube::Error> },
}

pub async fn fetch(
    context: &Context,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<Option<SnapshotWorld>, SnapshotFetchError> {
    let failed = |kind| {
        move |source: kube::Error| SnapshotFetchError::Read {
            kind,
            namespace: namespace.to_string(),
            name: name.to_string(),
            source: Box::new(source),
        }
    };
    let snapshots: Api<ApplicationSnapshot> = Api::namespaced(context.client.clone(), namespace);
    let Some(snapshot) = snapshots.get_opt(name).await.map_err(failed("object"))? else { return Ok(None) };
    let applications: Api<Application> = Api::namespaced(context.client.clone(), namespace);
    let wanted = &snapshot.spec.application_ref.name;
    let application = applications.get_opt(wanted).await.map_err(failed("Application"))?;
    let mut referenced_by = Vec::new();
    if snapshot.metadata.deletion_timestamp.is_some() {
        let all = applications.list(&ListParams::default()).await.map_err(failed("Applications"))?;
        referenced_by = all.iter().filter(|app| refers_to(app, name)).map(ResourceExt::name_any).collect();
    }
    let mut world = SnapshotWorld {
        snapshot,
        application,
        application_has_pods: false,
        job: JobObservation::NoCoordinator,
        referenced_by,
        now,
    };
    if let Some(app) = &world.application {
        let pods: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
        let list = pods.list(&ListParams::default().labels(&children::selector(app))).await.map_err(failed("pods"))?;
        world.application_has_pods = !list.items.is_empty();
        world.job = job(context, &format!("{}-0", app.name_any()), &list.items).await;
    }
    Ok(Some(world))
}

fn refers_to(app: &Application, snapshot: &str) -> bool {
    app.metadata.deletion_timestamp.is_none() && compile::snapshot_name(app) == Some(snapshot)
}

async fn job(context: &Context, coordinator: &str, pods: &[Pod]) -> JobObservation {
    let pod = pods.iter().find(|pod| pod.name_any() == coordinator);
    let Some(ip) = pod.and_then(|pod| pod.status.as_ref()?.pod_ip.clone()) else {
        return JobObservation::NoCoordinator;
    };
    match context.jobs.status(&job_api::address(&ip), None).await {
        Ok(status) => JobObservation::Reachable(Box::new(status)),
        Err(error) => JobObservation::Unreachable { error: error.to_string() },
    }
}
