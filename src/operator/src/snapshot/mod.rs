//! The controller of ApplicationSnapshots: fetch → plan → status → apply, as for Applications. A snapshot is a pin in
//! the application's folder; it can be made and given up while no job runs.

mod apply;
mod fetch;
mod plan;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action as Requeue;
use kube::{Resource, ResourceExt};

pub use apply::SnapshotApplyError;
pub use fetch::SnapshotFetchError;
pub use plan::{SNAPSHOT_FINALIZER, SnapshotAction, SnapshotPlan, SnapshotWorld, pin_name, plan};

use crate::context::Context;
use crate::resources::{ApplicationSnapshot, SnapshotPhase};

/// Why a reconcile did not get to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Fetch(#[from] SnapshotFetchError),
    #[error(transparent)]
    Apply(#[from] SnapshotApplyError),
}

pub async fn reconcile(snapshot: Arc<ApplicationSnapshot>, context: Arc<Context>) -> Result<Requeue, SnapshotError> {
    let (namespace, name) = (snapshot.namespace().unwrap_or_default(), snapshot.name_any());
    let step = reconcile_at(&context, &namespace, &name, Timestamp::now());
    context.metrics.reconcile("ApplicationSnapshot", step).await
}

pub async fn reconcile_at(
    context: &Context,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<Requeue, SnapshotError> {
    let Some(mut world) = fetch::fetch(context, namespace, name, now).await? else {
        return Ok(Requeue::await_change());
    };
    let plan = plan(&world);
    // A snapshot is Ready only once its pin is there, so acts come before words; a deletion's last act removes the
    // object, so there words come first.
    if world.snapshot.metadata.deletion_timestamp.is_some() {
        say(context, &mut world, &plan).await?;
        act(context, &world, &plan).await?;
    } else {
        act(context, &world, &plan).await?;
        say(context, &mut world, &plan).await?;
    }
    Ok(plan.look_again.map_or_else(Requeue::await_change, Requeue::requeue))
}

async fn act(context: &Context, world: &SnapshotWorld, plan: &SnapshotPlan) -> Result<(), SnapshotError> {
    for action in &plan.actions {
        tracing::info!(snapshot = world.snapshot.name_any(), ?action, "acting on a snapshot");
        apply::apply(context, world, action).await?;
    }
    Ok(())
}

async fn say(context: &Context, world: &mut SnapshotWorld, plan: &SnapshotPlan) -> Result<(), SnapshotError> {
    let before = world.snapshot.status.clone().unwrap_or_default();
    if before == plan.status {
        return Ok(());
    }
    world.snapshot = apply::write_status(context, &world.snapshot, plan.status.clone()).await?;
    if before.phase != plan.status.phase {
        report(context, &world.snapshot, plan.status.phase).await;
    }
    Ok(())
}

pub fn retry(_: Arc<ApplicationSnapshot>, _: &SnapshotError, _: Arc<Context>) -> Requeue {
    Requeue::requeue(Duration::from_secs(2))
}

async fn report(context: &Context, snapshot: &ApplicationSnapshot, phase: SnapshotPhase) {
    let message =
        snapshot.status.iter().flat_map(|status| &status.conditions).next().map(|ready| ready.message.clone());
    let message = message.unwrap_or_default();
    match phase {
        SnapshotPhase::Ready => context.report(&snapshot.object_ref(&()), false, "SnapshotReady", message).await,
        SnapshotPhase::Failed => context.report(&snapshot.object_ref(&()), true, "SnapshotFailed", message).await,
        SnapshotPhase::Creating | SnapshotPhase::Deleting => {}
    }
}
