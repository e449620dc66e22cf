//! Metrics for Prometheus, under the names that Amazon's service has, in Prometheus' spelling. What a worker counts
//! itself every worker shows; what the job as a whole has, only worker 0. So sums over workers count nothing twice.
//!
//! Counters count from the start of an incarnation; Prometheus takes the drop at a restart for what it is.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidemill_model::Incarnation;
use tidemill_model::control::EngineProgress;
use tidemill_model::status::{JobPhase, JobStatus, SourceStatus};

/// What a supervisor knows of its own worker.
#[derive(Clone, Debug, Default)]
pub struct WorkerView {
    pub connected: bool,
    pub incarnation: Incarnation,
    /// Of the child that runs.
    pub progress: Option<EngineProgress>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperatorLabel {
    operator: String,
}

type Counts = Family<TableLabel, Counter<u64, AtomicU64>>;
type Levels = Family<TableLabel, Gauge<i64, AtomicI64>>;

/// The exposition, made anew from what is known now.
pub fn render(view: &WorkerView, job: Option<&JobStatus>) -> String {
    let mut registry = Registry::with_prefix("tidemill");
    gauge(&mut registry, "connected", "1 while the worker is connected to its coordinator", i64::from(view.connected));
    register_worker(&mut registry, view);
    if let Some(job) = job {
        register_job(&mut registry, job);
    }
    let mut text = String::new();
    // writing into a string cannot fail
    let _ = encode(&mut text, &registry);
    text
}

fn register_worker(registry: &mut Registry, view: &WorkerView) {
    let progress = view.progress.clone().unwrap_or_default();
    let sources = &progress.sources;
    let of_sources = |value: fn(&SourceStatus) -> u64| sources.iter().map(move |source| (&source.table, value(source)));
    counts(registry, "num_records_in", "Records read", of_sources(|source| source.records));
    counts(registry, "num_bytes_in", "Bytes read", of_sources(|source| source.bytes));
    counts(
        registry,
        "num_records_undecodable",
        "Records skipped because they could not be decoded",
        of_sources(|source| source.undecodable),
    );
    let late = Family::<OperatorLabel, Counter<u64, AtomicU64>>::default();
    for (operator, rows) in &progress.late {
        late.get_or_create(&OperatorLabel { operator: operator.clone() }).inc_by(*rows);
    }
    registry.register("num_late_records_dropped", "Rows dropped because they came too late", late);
    let sinks = &progress.sinks;
    counts(registry, "num_records_out", "Records written", sinks.iter().map(|sink| (&sink.table, sink.records)));
    counts(registry, "num_bytes_out", "Bytes written", sinks.iter().map(|sink| (&sink.table, sink.bytes)));
    let lag = sources.iter().filter_map(|source| Some((&source.table, source.lag_records? as i64)));
    levels(registry, "records_lag", "Records between the position read and the end of the source", lag);
    let behind = sources.iter().filter_map(|source| Some((&source.table, source.millis_behind_latest? as i64)));
    levels(registry, "millis_behind_latest", "Age of the oldest record not yet read", behind);
    let watermarks = sources.iter().filter_map(|source| Some((&source.table, source.watermark_ms?)));
    levels(
        registry,
        "current_input_watermark_ms",
        "Lowest watermark of the source's splits, milliseconds since 1970",
        watermarks,
    );
    gauge(registry, "state_bytes", "Bytes of keyed state in memory", progress.state_bytes as i64);
    let waited = progress.back_pressured_ms as i64;
    gauge(registry, "back_pressured_time_ms_per_second", "Time in which sources waited for downstream", waited);
}

fn register_job(registry: &mut Registry, job: &JobStatus) {
    gauge(registry, "kpus", "Workers that the running incarnation uses", i64::from(job.workers));
    gauge(registry, "parallelism", "Engine threads over all workers", i64::from(job.workers * job.threads_per_worker));
    gauge(registry, "workers_connected", "Workers connected to the coordinator", i64::from(job.workers_connected));
    gauge(registry, "incarnation", "The incarnation that runs", job.incarnation.0 as i64);
    gauge(registry, "running", "1 while the job runs", i64::from(job.phase == JobPhase::Running));
    gauge(registry, "problems", "Problems that the job reports now", job.problems.len() as i64);
    counter(registry, "full_restarts", "Restarts after a failure since the coordinator started", job.restarts);
    counter(
        registry,
        "completed_checkpoints",
        "Checkpoints completed since the coordinator started",
        job.checkpoints_completed,
    );
    counter(registry, "failed_checkpoints", "Checkpoints failed since the coordinator started", job.checkpoints_failed);
    if let Some(last) = &job.last_checkpoint {
        gauge(registry, "last_checkpoint_duration_ms", "How long the last checkpoint took", last.duration_ms as i64);
        gauge(registry, "last_checkpoint_size_bytes", "Bytes that the last checkpoint refers to", last.bytes as i64);
        gauge(
            registry,
            "last_checkpoint_completed_at_ms",
            "When the last checkpoint completed, since 1970",
            last.completed_at_ms as i64,
        );
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge<i64, AtomicI64> = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter: Counter<u64, AtomicU64> = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn counts<'a>(registry: &mut Registry, name: &str, help: &str, values: impl Iterator<Item = (&'a String, u64)>) {
    let family = Counts::default();
    for (table, value) in values {
        family.get_or_create(&TableLabel { table: table.clone() }).inc_by(value);
    }
    registry.register(name, help, family);
}

fn levels<'a>(registry: &mut Registry, name: &str, help: &str, values: impl Iterator<Item = (&'a String, i64)>) {
    let family = Levels::default();
    for (table, value) in values {
        family.get_or_create(&TableLabel { table: table.clone() }).set(value);
    }
    registry.register(name, help, family);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_model::status::{CheckpointSummary, SinkStatus};

    fn view() -> WorkerView {
        let source =
            SourceStatus { table: "views".into(), records: 7, lag_records: Some(3), ..SourceStatus::default() };
        let sink = SinkStatus { table: "counts".into(), records: 2, bytes: 40 };
        let late = [("window-1".to_string(), 5)].into();
        let progress = EngineProgress { sources: vec![source], sinks: vec![sink], late, ..EngineProgress::default() };
        WorkerView { connected: true, incarnation: Incarnation(4), progress: Some(progress) }
    }

    #[test]
    fn a_worker_shows_its_own_counters_only() {
        let text = render(&view(), None);
        for line in [
            "tidemill_connected 1",
            "tidemill_num_records_in_total{table=\"views\"} 7",
            "tidemill_num_records_out_total{table=\"counts\"} 2",
            "tidemill_records_lag{table=\"views\"} 3",
            "tidemill_num_late_records_dropped_total{operator=\"window-1\"} 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("tidemill_kpus"), "{text}");
        assert!(!text.contains("millis_behind_latest{"), "the source cannot tell: {text}");
    }

    #[test]
    fn worker_0_shows_the_job_too() {
        let last = CheckpointSummary {
            id: tidemill_model::CheckpointId(1),
            completed_at_ms: 5,
            duration_ms: 120,
            bytes: 9,
            manifest: "m".into(),
        };
        let job = JobStatus { workers: 3, restarts: 2, last_checkpoint: Some(last), ..JobStatus::default() };
        let text = render(&view(), Some(&job));
        for line in ["tidemill_kpus 3", "tidemill_full_restarts_total 2", "tidemill_last_checkpoint_duration_ms 120"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
