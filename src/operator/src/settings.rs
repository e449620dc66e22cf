//! What the operator was installed with.

use std::collections::BTreeMap;

use clap::Args;
use tidemill_model::job::StorageSpec;

use crate::resources::{LocalRef, Storage};

/// The operator's settings, by flag or environment variable.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Image of the workers, unless an Application says otherwise.
    #[arg(long, env = "TIDEMILL_WORKER_IMAGE")]
    pub worker_image: String,

    /// How the workers' image is pulled; empty for Kubernetes' default.
    #[arg(long, env = "TIDEMILL_IMAGE_PULL_POLICY", default_value = "")]
    pub image_pull_policy: String,

    /// Processors of one KPU.
    #[arg(long, env = "TIDEMILL_KPU_CPU", default_value = "1")]
    pub kpu_cpu: String,

    /// Memory of one KPU.
    #[arg(long, env = "TIDEMILL_KPU_MEMORY", default_value = "4Gi")]
    pub kpu_memory: String,

    /// Where Applications keep checkpoints that name no storage; empty for nowhere.
    #[arg(long, env = "TIDEMILL_DEFAULT_STORAGE_URI", default_value = "")]
    pub default_storage_uri: String,

    /// The default storage's endpoint.
    #[arg(long, env = "TIDEMILL_DEFAULT_STORAGE_ENDPOINT", default_value = "")]
    pub default_storage_endpoint: String,

    /// The default storage's region.
    #[arg(long, env = "TIDEMILL_DEFAULT_STORAGE_REGION", default_value = "")]
    pub default_storage_region: String,

    /// A Secret with the default storage's credentials: namespace/name.
    #[arg(long, env = "TIDEMILL_DEFAULT_STORAGE_SECRET", default_value = "")]
    pub default_storage_secret: String,

    /// Where probes and metrics are served.
    #[arg(long, env = "TIDEMILL_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: std::net::SocketAddr,

    /// The namespace of the Lease by which one of several operators is elected; empty to run without an election.
    #[arg(long, env = "TIDEMILL_LEASE_NAMESPACE", default_value = "")]
    pub lease_namespace: String,

    /// This process in the election.
    #[arg(long, env = "POD_NAME", default_value = "tidemill-operator")]
    pub identity: String,
}

impl Settings {
    /// Namespace and name of the Secret with the default storage's credentials.
    pub fn default_secret(&self) -> Option<(&str, &str)> {
        self.default_storage_secret.split_once('/')
    }

    /// The default storage, given its Secret's entries.
    pub fn default_storage(&self, secret: &BTreeMap<String, String>) -> Option<StorageSpec> {
        if self.default_storage_uri.is_empty() {
            return None;
        }
        let text = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        let storage = Storage {
            uri: self.default_storage_uri.clone(),
            endpoint: text(&self.default_storage_endpoint),
            region: text(&self.default_storage_region),
            secret_ref: Some(LocalRef { name: "default".into() }),
            options: BTreeMap::new(),
        };
        let mut references = crate::compile::References::default();
        references.secrets.insert("default".into(), secret.clone());
        crate::compile::resolve_storage(Some(&storage), &references).ok()
    }
}
