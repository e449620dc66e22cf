//! What every controller needs at its edge.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::job_api::JobApi;
use crate::job_watch::JobWatches;
use crate::metrics::Metrics;
use crate::settings::Settings;

/// The name under which the operator owns fields, and reports events.
pub const FIELD_MANAGER: &str = "tidemill-operator";

/// Handles to the outside.
pub struct Context {
    pub client: Client,
    pub jobs: Arc<dyn JobApi>,
    pub watches: JobWatches,
    pub settings: Settings,
    pub metrics: Metrics,
    recorder: Recorder,
}

impl Context {
    pub fn new(
        client: Client,
        jobs: Arc<dyn JobApi>,
        watches: JobWatches,
        settings: Settings,
        metrics: Metrics,
    ) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.into(), instance: Some(settings.identity.clone()) };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, jobs, watches, settings, metrics, recorder }
    }

    /// Reports an event, at best: a namespace that is being deleted takes none, and nothing depends on them.
    pub async fn report(&self, object: &ObjectReference, warning: bool, reason: &str, message: String) {
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.into(),
            note: Some(message.chars().take(1000).collect()),
            action: "Reconcile".into(),
            secondary: None,
        };
        self.metrics.wrote("Event");
        if let Err(error) = self.recorder.publish(&event, object).await {
            tracing::debug!(%error, reason, "failed to report an event");
        }
    }
}
