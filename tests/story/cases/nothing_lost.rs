//! Exactly once, counted: whatever happens to the application while records come in, the output topic holds every
//! window of every page once, with the right count.

use std::time::Duration;

use crate::application::{Application, PATIENCE};
use crate::cluster::{Cluster, until};
use crate::kafka::{self, Filler};
use crate::page_views::{self, PageViews};

const RECORDS: u64 = 2_000_000;
/// So many that records flow through every disturbance, and few enough that the cluster keeps up.
const RECORDS_PER_SECOND: u64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn no_window_is_lost_or_counted_twice_whatever_happens() {
    let cluster = Cluster::with_namespace("nothing-lost").await;
    let names = PageViews::named("nothing-lost");
    kafka::create_topic(&names.input).await;
    kafka::create_topic(&names.output).await;
    let filler = Filler::start(&names.input, RECORDS_PER_SECOND, page_views::record);
    names.apply(&cluster).await;
    let application = Application { cluster: &cluster, name: page_views::NAME };
    application.until_running().await;

    disturb(&application, &filler).await;

    let written = filler.finish(RECORDS);
    kafka::send(&names.input, page_views::closing_records(written));
    let expected = page_views::recompute(0..written).await;
    println!("{written} records, {} windows", expected.len());
    until("all windows are in the output topic", 3 * PATIENCE, async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let windows: u64 = kafka::read_committed(&names.output).values().sum();
        (windows >= expected.len() as u64).then_some(())
    })
    .await;

    application.until_running().await;
    // Two checkpoints' time: what would come twice has come by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let wrong = page_views::differences(&expected, &kafka::read_committed(&names.output));
    assert!(wrong.is_empty(), "{} rows differ, such as:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    cluster.remove().await;
}

/// All that can happen to an application in a day.
async fn disturb(application: &Application<'_>, filler: &Filler) {
    flow(application, filler).await;

    println!("stop and resume");
    application.set_state("Stopped").await;
    application.until_pods(0).await;
    application.set_state("Running").await;
    flow(application, filler).await;

    for kpus in [3, 2] {
        println!("scale to {kpus}");
        application.scale(kpus).await;
        flow(application, filler).await;
    }

    println!("kill an engine");
    let before = application.incarnation().await;
    application.kill_engine().await;
    application.first_record_after(before).await;
    flow(application, filler).await;

    // The first pod has the coordinator in it; the last one has not.
    for choose in [<[String]>::last, <[String]>::first] {
        let (before, pods) = (application.incarnation().await, application.pods().await);
        let pod = choose(&pods).expect("there is a pod");
        println!("delete {pod}");
        application.cluster.delete_pod(pod).await;
        application.first_record_after(before).await;
        flow(application, filler).await;
    }
}

/// Waits until the application runs, records come in, and checkpoints complete.
async fn flow(application: &Application<'_>, filler: &Filler) {
    application.until_running().await;
    let from = filler.written();
    let completed = application.job().await.map_or(0, |job| job.checkpoints_completed);
    until("records come in and checkpoints complete", PATIENCE, async || {
        let job = application.job().await?;
        (job.checkpoints_completed >= completed + 2 && filler.written() > from).then_some(())
    })
    .await;
}
