//! The operator's own metrics. Those of jobs are served by the workers.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::resources::ApplicationPhase;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApplicationStatusLabels {
    namespace: String,
    name: String,
}

/// Counters and gauges.
pub struct Metrics {
    registry: Registry,
    reconciles: Family<Outcome, Counter>,
    duration: Family<Kind, Histogram, fn() -> Histogram>,
    writes: Family<Kind, Counter>,
    phases: Family<ApplicationStatusLabels, Gauge>,
    leader: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidemill_operator");
        let reconciles = Family::<Outcome, Counter>::default();
        registry.register("reconciles", "Reconciles, by kind and outcome", reconciles.clone());
        let duration: Family<Kind, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 12)));
        registry.register("reconcile_duration_seconds", "Time a reconcile takes, by kind", duration.clone());
        let writes = Family::<Kind, Counter>::default();
        registry.register("writes", "Writes to the API server and to jobs, by kind of object", writes.clone());
        let phases = Family::<ApplicationStatusLabels, Gauge>::default();
        registry.register(
            "application_phase",
            "Where each application is: 0 ready, 1 starting, 2 running, 3 updating, 4 autoscaling, 5 stopping, 6 force stopping, 7 deleting",
            phases.clone(),
        );
        let leader = Gauge::<u64, AtomicU64>::default();
        registry.register("leader", "1 while this process is the one that acts", leader.clone());
        Self { registry, reconciles, duration, writes, phases, leader }
    }
}

impl Metrics {
    /// Runs a step of a resource of this kind, counting and timing it.
    pub async fn reconcile<T, E>(&self, kind: &'static str, step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let begun = Instant::now();
        let result = step.await;
        self.reconciled(kind, if result.is_ok() { "ok" } else { "error" }, begun.elapsed());
        result
    }

    fn reconciled(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.reconciles.get_or_create(&Outcome { kind, outcome }).inc();
        self.duration.get_or_create(&Kind { kind }).observe(took.as_secs_f64());
    }

    pub fn wrote(&self, kind: &'static str) {
        self.writes.get_or_create(&Kind { kind }).inc();
    }

    pub fn phase(&self, namespace: &str, name: &str, phase: ApplicationPhase) {
        let labels = ApplicationStatusLabels { namespace: namespace.into(), name: name.into() };
        self.phases.get_or_create(&labels).set(phase_number(phase));
    }

    pub fn gone(&self, namespace: &str, name: &str) {
        self.phases.remove(&ApplicationStatusLabels { namespace: namespace.into(), name: name.into() });
    }

    pub fn leads(&self, leads: bool) {
        self.leader.set(u64::from(leads));
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# failed to encode the metrics: {error}\n"),
        }
    }
}

fn phase_number(phase: ApplicationPhase) -> i64 {
    match phase {
        ApplicationPhase::Ready => 0,
        ApplicationPhase::Starting => 1,
        ApplicationPhase::Running => 2,
        ApplicationPhase::Updating => 3,
        ApplicationPhase::Autoscaling => 4,
        ApplicationPhase::Stopping => 5,
        ApplicationPhase::ForceStopping => 6,
        ApplicationPhase::Deleting => 7,
    }
}
