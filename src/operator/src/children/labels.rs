//! Labels by which an Application's objects are found.

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::resources::Application;

pub const APPLICATION_LABEL: &str = "tidemill.dev/application";
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
pub const MANAGED_BY: &str = "tidemill";

pub(super) fn object_labels(app: &Application) -> BTreeMap<String, String> {
    [
        (APPLICATION_LABEL.to_string(), app.name_any()),
        (MANAGED_BY_LABEL.to_string(), MANAGED_BY.to_string()),
        ("app.kubernetes.io/name".to_string(), "tidemill-worker".to_string()),
    ]
    .into()
}

/// Labels of the worker pods: the user's, and ours, which win.
pub fn pod_labels(app: &Application) -> BTreeMap<String, String> {
    let mut labels = app.spec.pod_template.labels.clone();
    labels.extend(object_labels(app));
    labels
}

/// Labels that select the worker pods. A StatefulSet's selector cannot be changed, so there are few.
pub(super) fn selector_labels(app: &Application) -> BTreeMap<String, String> {
    [
        (APPLICATION_LABEL.to_string(), app.name_any()),
        ("app.kubernetes.io/name".to_string(), "tidemill-worker".to_string()),
    ]
    .into()
}

/// The same as a label selector's text.
pub fn selector(app: &Application) -> String {
    let labels: Vec<String> = selector_labels(app).iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(",")
}
