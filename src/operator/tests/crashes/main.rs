//! The operator dies before and after every writing call of every scenario, starts again, and must come to the same end
//! as if nothing had happened, without having taken a worker from a running job on the way, and then write nothing more.
#![allow(clippy::unwrap_used)]

mod api_server;
mod cluster;
mod fuse;
mod scenario;

use scenario::{Scenario, Step, check};

const RUN: Step = Step::Edit(&[("/spec/state", "\"Running\"")]);
const STOP: Step = Step::Edit(&[("/spec/state", "\"Stopped\"")]);
const TO_THREE: Step = Step::Edit(&[("/spec/scaling/kpus", "3")]);
const TO_ONE: Step = Step::Edit(&[("/spec/scaling/kpus", "1")]);
const TO_NONE: Step = Step::Edit(&[("/spec/scaling/kpus", "0")]);
const NEW_VERSION: Step = Step::Edit(&[("/spec/restartEpoch", "1")]);
const NEW_IMAGE: Step = Step::Edit(&[("/spec/image", "\"other\"")]);
const BROKEN_SQL: Step = Step::Edit(&[("/spec/code/sql", "\"SELEC\"")]);

#[tokio::test]
async fn create() {
    check(Scenario { steps: &[Step::Create], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
}

#[tokio::test]
async fn stop_and_resume() {
    check(Scenario { steps: &[Step::Create, STOP], expected: "READY; 0 pods, no job" }).await;
    check(Scenario { steps: &[Step::Create, STOP, RUN], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
    check(Scenario { steps: &[Step::Create, TO_NONE], expected: "READY; 0 pods, no job" }).await;
}

#[tokio::test]
async fn an_edit_in_the_middle_of_a_change() {
    check(Scenario {
        steps: &[Step::Create, STOP, Step::Reconciles(2), RUN],
        expected: "RUNNING; 1 pods, Running 1 workers",
    })
    .await;
    let steps = [Step::Create, TO_THREE, Step::Reconciles(2), TO_ONE, Step::Reconciles(1), NEW_VERSION];
    check(Scenario { steps: &steps, expected: "RUNNING; 1 pods, Running 1 workers" }).await;
    check(Scenario { steps: &[Step::Create, NEW_IMAGE, Step::Reconciles(2), STOP], expected: "READY; 0 pods, no job" })
        .await;
}

#[tokio::test]
async fn scale() {
    check(Scenario { steps: &[Step::Create, TO_THREE], expected: "RUNNING; 3 pods, Running 3 workers" }).await;
    check(Scenario { steps: &[Step::Create, TO_THREE, TO_ONE], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
}

#[tokio::test]
async fn new_version_and_new_pods() {
    check(Scenario { steps: &[Step::Create, NEW_VERSION], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
    check(Scenario { steps: &[Step::Create, NEW_IMAGE], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
}

#[tokio::test]
async fn a_spec_that_is_not_accepted() {
    check(Scenario { steps: &[Step::Create, BROKEN_SQL], expected: "RUNNING; 1 pods, Running 1 workers" }).await;
    check(Scenario { steps: &[Step::Create, BROKEN_SQL, STOP], expected: "READY; 0 pods, no job" }).await;
}

#[tokio::test]
async fn delete() {
    let expected = "gone; 0 pods, no job; snapshots: a-final-12345678 READY";
    check(Scenario { steps: &[Step::Create, Step::Delete], expected }).await;
    check(Scenario { steps: &[Step::Create, STOP, Step::Delete], expected }).await;
    let retain = Step::Edit(&[("/spec/deletionPolicy", "\"RetainState\"")]);
    check(Scenario { steps: &[Step::Create, retain, Step::Delete], expected: "gone; 0 pods, no job" }).await;
}

#[tokio::test]
async fn snapshot() {
    let steps = [Step::Create, Step::Snapshot];
    check(Scenario { steps: &steps, expected: "RUNNING; 1 pods, Running 1 workers; snapshots: s READY" }).await;
    let steps = [Step::Create, STOP, Step::Snapshot];
    check(Scenario { steps: &steps, expected: "READY; 0 pods, no job; snapshots: s READY" }).await;
}
