//! What is written to the API server while nothing happens. On a cluster of ours its audit log tells of every request,
//! those that change nothing included; elsewhere the objects' versions are compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use crate::cluster::{Cluster, home};

/// How often each kind of write happened, such as `patch applications/status`.
pub type Writes = BTreeMap<String, u64>;

/// Counts writes by what Tidemill runs in the cluster, for so long.
pub async fn count(cluster: &Cluster, time: Duration) -> Writes {
    match home() {
        Some(home) => count_in_audit_log(&home.join("cp/logs/audit.log"), time).await,
        None => count_changes(cluster, time).await,
    }
}

async fn count_in_audit_log(path: &Path, time: Duration) -> Writes {
    let read = || std::fs::read_to_string(path).expect("read the API server's audit log");
    let before = read().lines().count();
    tokio::time::sleep(time).await;
    let mut writes = Writes::new();
    for line in read().lines().skip(before) {
        let event: Value = serde_json::from_str(line).expect("the audit log has a JSON object a line");
        *writes.entry(describe(&event)).or_insert(0) += 1;
    }
    writes
}

fn describe(event: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (verb, resource) = (part(&event["verb"]), part(&event["objectRef"]["resource"]));
    match part(&event["objectRef"]["subresource"]) {
        none if none.is_empty() => format!("{verb} {resource}"),
        subresource => format!("{verb} {resource}/{subresource}"),
    }
}

/// Objects of the namespace that the operator owns. A status is told from the rest by the generation, which it leaves.
async fn count_changes(cluster: &Cluster, time: Duration) -> Writes {
    let mut writes = Writes::new();
    let mut before = versions(cluster).await;
    for _ in 0..time.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = versions(cluster).await;
        for (object, version) in &after {
            if before.get(object) != Some(version) {
                *writes.entry(format!("patch {}", object.0)).or_insert(0) += 1;
            }
        }
        before = after;
    }
    writes
}

async fn versions(cluster: &Cluster) -> BTreeMap<(&'static str, String), String> {
    let kinds = [
        ("applications/status", "tidemill.dev", "v1alpha1", "Application"),
        ("streams/status", "tidemill.dev", "v1alpha1", "Stream"),
        ("statefulsets", "apps", "v1", "StatefulSet"),
        ("services", "", "v1", "Service"),
        ("secrets", "", "v1", "Secret"),
        ("events", "", "v1", "Event"),
    ];
    let mut versions = BTreeMap::new();
    for (resource, group, version, kind) in kinds {
        let described = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api = Api::<DynamicObject>::namespaced_with(cluster.client.clone(), &cluster.namespace, &described);
        for object in api.list(&Default::default()).await.expect("list objects").items {
            let name = object.metadata.name.unwrap_or_default();
            versions.insert((resource, name), object.metadata.resource_version.unwrap_or_default());
        }
    }
    versions
}
