//! The log's claims on real stores, with replies and requests that get lost and with claimers that race.
#![allow(clippy::unwrap_used)]

#[path = "support/faulty.rs"]
mod faulty;
mod support;

use std::sync::Arc;

use faulty::{Fault, Faulty};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use support::{application, checkpoint, start};
use tidemill_model::Incarnation;
use tidemill_model::snapshot::Claim;
use tidemill_model::status::ProblemKind;
use tidemill_storage::ApplicationStore;

/// A folder that lives as long as the test, and the stores to test with.
fn stores() -> (tempfile::TempDir, Vec<Arc<dyn ObjectStore>>) {
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_automatic_cleanup(true);
    (folder, vec![Arc::new(InMemory::new()), Arc::new(local)])
}

fn open(store: &Arc<dyn ObjectStore>) -> ApplicationStore {
    ApplicationStore::new(store.clone(), &application())
}

#[tokio::test]
async fn an_empty_store_has_an_empty_log() {
    let (_folder, stores) = stores();
    for store in &stores {
        assert!(open(store).read_log().await.unwrap().is_empty());
        assert!(open(store).read_committed().await.unwrap().is_empty());
        assert!(open(store).list_pins().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn records_and_markers_can_be_read_back() {
    let (_folder, stores) = stores();
    for store in &stores {
        let job = open(store);
        for (sequence, record) in (1..).zip([start(1, None), checkpoint(1, 1, "m1"), start(2, Some("m1"))]) {
            assert_eq!(job.claim(sequence, &record, "me").await, Ok(Claim::Won));
        }
        job.mark_committed(2).await.unwrap();
        let log: Vec<_> = job.read_log().await.unwrap().into_iter().collect();
        assert_eq!(log, [(1, start(1, None)), (2, checkpoint(1, 1, "m1")), (3, start(2, Some("m1")))]);
        assert_eq!(job.read_committed().await.unwrap().into_iter().collect::<Vec<_>>(), [2]);
    }
}

#[tokio::test]
async fn a_claim_whose_reply_was_lost_is_won() {
    let (_folder, stores) = stores();
    for store in &stores {
        let faulty: Arc<dyn ObjectStore> = Faulty::new(store.clone(), Fault::LostReply, 1);
        assert_eq!(open(&faulty).claim(1, &start(1, None), "me").await, Ok(Claim::Won));
        assert_eq!(open(store).read_log().await.unwrap()[&1], start(1, None));
    }
}

#[tokio::test]
async fn a_claim_whose_request_was_lost_is_tried_again() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let faulty: Arc<dyn ObjectStore> = Faulty::new(store.clone(), Fault::LostRequest, 2);
    assert_eq!(open(&faulty).claim(1, &start(1, None), "me").await, Ok(Claim::Won));
}

#[tokio::test]
async fn a_store_that_stays_away_ends_in_a_problem_and_no_record() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let faulty: Arc<dyn ObjectStore> = Faulty::new(store.clone(), Fault::LostRequest, 100);
    let problem = open(&faulty).claim(1, &start(1, None), "me").await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::StorageUnavailable);
    assert!(open(&store).read_log().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_taken_number_fences_even_if_the_records_are_alike() {
    let (_folder, stores) = stores();
    for store in &stores {
        let record = start(3, None);
        assert_eq!(open(store).claim(1, &record, "first").await, Ok(Claim::Won));
        assert_eq!(open(store).claim(1, &record, "second").await, Ok(Claim::Fenced { by: Incarnation(3) }));
        assert_eq!(open(store).claim(1, &record, "first").await, Ok(Claim::Won), "a repeated claim is one's own");
    }
}

#[tokio::test]
async fn a_sleeper_that_creates_a_removed_number_is_fenced() {
    let (_folder, stores) = stores();
    for store in &stores {
        assert_eq!(open(store).claim(5, &start(9, None), "new").await, Ok(Claim::Won));
        let late = open(store).claim(2, &checkpoint(1, 4, "m4"), "old").await;
        assert_eq!(late, Ok(Claim::Fenced { by: Incarnation(9) }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_claimers_exactly_one_wins() {
    let (_folder, stores) = stores();
    for store in &stores {
        for round in 1..=20 {
            let claims = (0..8).map(|claimer| {
                // every other claimer loses its replies
                let store: Arc<dyn ObjectStore> = match claimer % 2 {
                    0 => store.clone(),
                    _ => Faulty::new(store.clone(), Fault::LostReply, 1),
                };
                tokio::spawn(
                    async move { open(&store).claim(round, &start(round, None), &format!("c{claimer}")).await },
                )
            });
            let outcomes = futures::future::join_all(claims).await;
            let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Ok(Claim::Won)))).count();
            assert_eq!(won, 1, "round {round}: {outcomes:?}");
        }
    }
}

#[tokio::test]
async fn a_store_with_conditional_create_passes_the_probe_and_keeps_nothing_of_it() {
    let (_folder, stores) = stores();
    for store in &stores {
        assert_eq!(open(store).probe_conditional_create("p1").await, Ok(()));
        assert_eq!(open(store).probe_conditional_create("p1").await, Ok(()), "nothing was left behind");
    }
}

#[tokio::test]
async fn a_store_without_conditional_create_is_refused_whether_it_says_so_or_not() {
    for fault in [Fault::CreateOverwrites, Fault::CreateUnimplemented] {
        let store: Arc<dyn ObjectStore> = Faulty::new(Arc::new(InMemory::new()), fault, 100);
        let problem = open(&store).probe_conditional_create("p1").await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::StorageUnsupported, "{fault:?}");
    }
}
