//! The objects that the operator makes for an Application, built from values alone. Each carries a hash of what was
//! asked for, so that a reconcile can see whether it is up to date without writing.

mod job_secret;
mod labels;
mod service;
mod stateful_set;

#[cfg(test)]
mod tests;

pub use job_secret::{JOB_KEY, job_secret, secret_name, stored_job};
pub use labels::{APPLICATION_LABEL, MANAGED_BY, MANAGED_BY_LABEL, pod_labels, selector};
pub use service::{coordinator_address, service, service_account};
pub use stateful_set::{TEMPLATE_ANNOTATION, stateful_set, template_hash};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::resources::Application;

/// Holds the hash of the object as it was last applied.
pub const APPLIED_ANNOTATION: &str = "tidemill.dev/applied";

/// A child's metadata: named, labelled, and owned by the Application, so that it goes when the Application goes.
fn metadata(app: &Application, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: app.namespace(),
        labels: Some(labels::object_labels(app)),
        owner_references: Some(vec![owner(app)]),
        ..ObjectMeta::default()
    }
}

fn owner(app: &Application) -> OwnerReference {
    OwnerReference {
        api_version: Application::api_version(&()).into(),
        kind: Application::kind(&()).into(),
        name: app.name_any(),
        uid: app.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Stamps an object with the hash of its own content.
fn stamped<K: Resource + Serialize>(mut object: K) -> K {
    let hash = content_hash(&object);
    object.annotations_mut().insert(APPLIED_ANNOTATION.into(), hash);
    object
}

/// The hash that an object was stamped with.
pub fn applied_hash<K: Resource>(object: &K) -> Option<&str> {
    object.annotations().get(APPLIED_ANNOTATION).map(String::as_str)
}

fn content_hash(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("Kubernetes objects are made of plain JSON values");
    Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
