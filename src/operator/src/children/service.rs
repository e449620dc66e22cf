//! The headless Service by which workers find their coordinator, and the ServiceAccount they run under.

use k8s_openapi::api::core::v1::{Service, ServiceAccount, ServicePort, ServiceSpec};
use kube::ResourceExt;
use tidemill_model::status::{COORDINATOR_PORT, JOB_API_PORT};

use super::labels::selector_labels;
use super::{metadata, stamped};
use crate::resources::Application;

/// Names the workers. They must reach worker 0 before any of them is ready, so addresses are published at once.
pub fn service(app: &Application) -> Service {
    let port = |name: &str, port: u16| ServicePort {
        name: Some(name.into()),
        port: port.into(),
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    };
    stamped(Service {
        metadata: metadata(app, app.name_any()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector_labels(app)),
            ports: Some(vec![port("job-api", JOB_API_PORT), port("coordinator", COORDINATOR_PORT)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    })
}

/// Where workers meet their coordinator.
pub fn coordinator_address(app: &Application) -> String {
    let name = app.name_any();
    format!("{name}-0.{name}.{}.svc:{COORDINATOR_PORT}", app.namespace().unwrap_or_default())
}

/// An account without rights; none if the user names another.
pub fn service_account(app: &Application) -> Option<ServiceAccount> {
    match app.spec.service_account_name {
        Some(_) => None,
        None => Some(stamped(ServiceAccount {
            metadata: metadata(app, app.name_any()),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        })),
    }
}
