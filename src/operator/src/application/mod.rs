//! The controller of Applications: fetch → plan → status → apply. Branches live in [`plan`]; everything else here is
//! either pure or makes no choices.

mod apply;
mod conditions;
mod delete;
mod fetch;
mod notes;
mod plan;
mod run;
mod status;
mod stop;
mod validate;
mod world;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action as Requeue;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

pub use apply::ApplyError;
pub use conditions::ConditionType;
pub use fetch::{FetchError, coordinator_ip, final_snapshot_name, storage, storage_at};
pub use plan::{Action, FINALIZER, Goal, Plan, plan};
pub use status::{settle, status};
pub use world::{DesiredChildren, JobObservation, Observed, ObservedPod, ObservedSet, World};

use crate::context::Context;
use crate::job_api;
use crate::resources::Application;

/// Why a reconcile did not get to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Brings one Application a step further.
pub async fn reconcile(app: Arc<Application>, context: Arc<Context>) -> Result<Requeue, ReconcileError> {
    let (namespace, name) = (app.namespace().unwrap_or_default(), app.name_any());
    let step = reconcile_at(&context, &namespace, &name, Timestamp::now());
    context.metrics.reconcile("Application", step).await
}

/// The same at a given time: read, plan, say what is going to happen, do it.
pub async fn reconcile_at(
    context: &Context,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<Requeue, ReconcileError> {
    let Some(mut world) = fetch::fetch(context, namespace, name, now).await? else {
        forget(context, namespace, name);
        return Ok(Requeue::await_change());
    };
    let plan = plan(&world);
    follow_job(context, &world);
    context.metrics.phase(namespace, name, plan.phase);
    // Written before the first effect: an operator that starts in the middle finds what was begun, and since when.
    if let Some(status) = settle(world.app.status.as_ref(), status(&world, &plan), now) {
        let notes = notes::notes(world.app.status.as_ref(), &status);
        world.app = apply::write_status(context, &world.app, status).await?;
        for note in notes {
            context.report(&world.app.object_ref(&()), note.warning, &note.reason, note.message).await;
        }
    }
    for action in &plan.actions {
        tracing::info!(namespace, name, action = action.name(), "acting");
        apply::apply(context, &world, action).await?;
    }
    Ok(Requeue::requeue(plan.look_again))
}

/// When to try again. A conflict means that there is something new to look at.
pub fn retry(_: Arc<Application>, error: &ReconcileError, _: Arc<Context>) -> Requeue {
    match error {
        ReconcileError::Apply(error) if error.is_conflict() => Requeue::requeue(Duration::from_millis(200)),
        ReconcileError::Apply(_) | ReconcileError::Fetch(_) => Requeue::requeue(Duration::from_secs(5)),
    }
}

fn follow_job(context: &Context, world: &World) {
    let key = ObjectRef::from_obj(&world.app);
    match coordinator_ip(&world.observed.pods) {
        Some(ip) => context.watches.follow(&key, &job_api::address(ip)),
        None => context.watches.forget(&key),
    }
}

fn forget(context: &Context, namespace: &str, name: &str) {
    context.watches.forget(&ObjectRef::new(name).within(namespace));
    context.metrics.gone(namespace, name);
}
