//! How long a user waits for what, and that a settled application costs no API writes.

use std::time::Duration;

use tidemill_model::Incarnation;
use tidemill_model::status::JobPhase;

use crate::application::{Application, PATIENCE, now_ms, seconds};
use crate::cluster::{Cluster, until};
use crate::kafka::{self, Filler};
use crate::page_views::{self, PageViews};
use crate::report;
use crate::writes::{self, Writes};

/// Few enough that nothing waits for a processor.
const RECORDS_PER_SECOND: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn waits_are_short_and_a_settled_application_writes_nothing() {
    let cluster = Cluster::with_namespace("figures").await;
    let names = PageViews::named("figures");
    kafka::create_topic(&names.input).await;
    kafka::create_topic(&names.output).await;
    let filler = Filler::start(&names.input, RECORDS_PER_SECOND, page_views::record);
    until("there are records", PATIENCE, async || (filler.written() > RECORDS_PER_SECOND).then_some(())).await;
    let application = Application { cluster: &cluster, name: page_views::NAME };

    let applied = now_ms();
    names.apply(&cluster).await;
    let started = application.first_record_after(Incarnation(0)).await;
    application.until_running().await;

    let pause = scale_pause(&application, 2).await;
    let back = scale_pause(&application, 1).await;

    let stopped = application.incarnation().await;
    application.set_state("Stopped").await;
    let stop = application.until_pods(0).await;
    application.until("it is stopped", |status| status["status"] == "READY").await;

    let patched = now_ms();
    application.set_state("Running").await;
    let resumed = application.first_record_after(stopped).await;
    application.until_running().await;

    let writes = settled_writes(&cluster).await;
    let (other, summary) = (total(&writes, Purpose::Other), total(&writes, Purpose::Summary));
    report::add(&[
        ("apply_to_first_record_s", seconds(applied, started)),
        ("stop_s", stop.as_secs_f64()),
        ("resume_s", seconds(patched, resumed)),
        ("scale_pause_s", pause),
        ("scale_back_pause_s", back),
        ("steady_writes_per_min", other as f64),
        ("steady_summary_writes_per_min", summary as f64),
        ("steady_lease_writes_per_min", total(&writes, Purpose::Election) as f64),
    ]);
    assert_eq!(other, 0, "a settled application wrote to the API server: {writes:?}");
    assert!(summary <= 2, "the checkpoint summary is not bounded: {writes:?}");

    filler.finish(0);
    cluster.remove().await;
}

/// Seconds from the job's leaving its running state to the first record of the next incarnation.
async fn scale_pause(application: &Application<'_>, kpus: u32) -> f64 {
    let before = application.incarnation().await;
    let interrupted = until_interrupted(application, before);
    let ((), left) = tokio::join!(application.scale(kpus), interrupted);
    seconds(left, application.first_record_after(before).await)
}

/// When the job was first seen to have left its running state.
async fn until_interrupted(application: &Application<'_>, before: Incarnation) -> u64 {
    until("the job is interrupted", PATIENCE, async || {
        let job = application.job().await?;
        (job.phase != JobPhase::Running || job.incarnation > before).then(now_ms)
    })
    .await
}

/// Writes in a minute, once the last change has settled.
async fn settled_writes(cluster: &Cluster) -> Writes {
    tokio::time::sleep(Duration::from_secs(15)).await;
    writes::count(cluster, Duration::from_secs(60)).await
}

/// What a write is for.
#[derive(PartialEq)]
enum Purpose {
    /// Checkpoint and lag in an Application's status, at most once a minute.
    Summary,
    /// The operator is still there: costs the API server next to nothing, and nobody watches it.
    Election,
    Other,
}

fn purpose(write: &str) -> Purpose {
    match write.split_once(' ') {
        Some((_, "applications/status")) => Purpose::Summary,
        Some((_, "leases")) => Purpose::Election,
        _ => Purpose::Other,
    }
}

fn total(writes: &Writes, of: Purpose) -> u64 {
    writes.iter().filter(|(write, _)| purpose(write) == of).map(|(_, count)| count).sum()
}
