//! What garbage collection removes, and above all what it must not.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use support::{application, checkpoint, start};
use tidemill_model::key_groups::{HASH_VERSION, KeyGroupRange};
use tidemill_model::snapshot::{MANIFEST_FORMAT, Manifest, OperatorState, Pin, StateFile};
use tidemill_model::status::ProblemKind;
use tidemill_model::{CheckpointId, Epoch, Incarnation};
use tidemill_storage::{ApplicationStore, Sweep};

struct Fixture {
    store: Arc<dyn ObjectStore>,
    job: ApplicationStore,
}

impl Fixture {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Self { job: ApplicationStore::new(store.clone(), &application()), store }
    }

    async fn put(&self, path: &str) {
        self.store.put(&Path::from(path), "x".into()).await.unwrap();
    }

    async fn exists(&self, path: &str) -> bool {
        self.store.head(&Path::from(path)).await.is_ok()
    }

    /// Files of one checkpoint: its own, and those of older ones that it refers to.
    async fn checkpoint(&self, incarnation: u64, id: u64, files: &[String]) -> String {
        for file in files {
            self.put(file).await;
        }
        self.job.write_manifest(&manifest(incarnation, id, files)).await.unwrap()
    }

    fn state(&self, incarnation: u64, id: u64) -> String {
        self.job.paths().state(Incarnation(incarnation), CheckpointId(id), "0")
    }

    async fn collect(&self, keep: usize, by: u64, sweep: Sweep) {
        self.job.collect_garbage(keep, Incarnation(by), sweep).await.unwrap();
    }
}

fn manifest(incarnation: u64, id: u64, files: &[String]) -> Manifest {
    let file =
        |path: &String| StateFile { path: path.clone(), bytes: 1, rows: 1, crc32: 0, key_groups: KeyGroupRange::ALL };
    Manifest {
        format: MANIFEST_FORMAT,
        application: application(),
        version: "v1".into(),
        incarnation: Incarnation(incarnation),
        checkpoint: CheckpointId(id),
        epoch: Epoch(1),
        parallelism: 1,
        hash_version: HASH_VERSION,
        created_at_ms: 0,
        operators: vec![OperatorState {
            operator: "count".into(),
            layout: "l".into(),
            files: files.iter().map(file).collect(),
            watermark_ms: None,
        }],
        splits: vec![],
        committables: vec![],
    }
}

/// Three checkpoints of incarnation 1; the third still refers to a file of the first.
async fn three_checkpoints() -> (Fixture, [String; 3]) {
    let fixture = Fixture::new();
    let [one, two, three] = [1, 2, 3].map(|id| fixture.state(1, id));
    let m1 = fixture.checkpoint(1, 1, &[one.clone(), two.clone()]).await;
    let m2 = fixture.checkpoint(1, 2, std::slice::from_ref(&two)).await;
    let m3 = fixture.checkpoint(1, 3, &[one.clone(), three.clone()]).await;
    let records = [start(1, None), checkpoint(1, 1, &m1), checkpoint(1, 2, &m2), checkpoint(1, 3, &m3)];
    for (sequence, record) in (1..).zip(&records) {
        fixture.job.claim(sequence, record, "me").await.unwrap();
        fixture.job.mark_committed(sequence).await.unwrap();
    }
    (fixture, [m1, m2, m3])
}

#[tokio::test]
async fn dropped_checkpoints_go_with_their_files_but_shared_files_stay() {
    let (fixture, [m1, m2, m3]) = three_checkpoints().await;
    fixture.collect(1, 1, Sweep::DroppedCheckpointsOnly).await;
    assert_eq!(fixture.job.read_log().await.unwrap().into_keys().collect::<Vec<_>>(), [4]);
    assert_eq!(fixture.job.read_committed().await.unwrap().into_iter().collect::<Vec<_>>(), [4]);
    for (path, stays) in [(m1, false), (m2, false), (m3, true)] {
        assert_eq!(fixture.exists(&path).await, stays, "{path}");
    }
    for (id, stays) in [(1, true), (2, false), (3, true)] {
        assert_eq!(fixture.exists(&fixture.state(1, id)).await, stays, "state of {id}");
    }
}

#[tokio::test]
async fn what_is_pinned_stays_until_the_pin_goes() {
    let (fixture, [_, m2, _]) = three_checkpoints().await;
    let pin = Pin { checkpoint: CheckpointId(2), manifest: m2.clone(), bytes: 1, created_at_ms: 0 };
    fixture.job.write_pin("before-change", &pin).await.unwrap();
    assert_eq!(fixture.job.list_pins().await.unwrap()["before-change"], pin);
    fixture.collect(1, 1, Sweep::DroppedCheckpointsOnly).await;
    assert!(fixture.exists(&m2).await && fixture.exists(&fixture.state(1, 2)).await);

    fixture.job.delete_pin("before-change").await.unwrap();
    fixture.job.claim(5, &start(2, None), "me").await.unwrap();
    fixture.collect(1, 2, Sweep::OlderIncarnations).await;
    assert!(!fixture.exists(&m2).await && !fixture.exists(&fixture.state(1, 2)).await);
}

#[tokio::test]
async fn leftovers_of_older_incarnations_are_swept_and_ones_own_uploads_are_not() {
    let (fixture, [_, _, m3]) = three_checkpoints().await;
    fixture.job.claim(5, &start(2, Some(&m3)), "me").await.unwrap();
    let (left_over, under_way) = (fixture.state(1, 9), fixture.state(2, 4));
    fixture.put(&left_over).await;
    fixture.put(&under_way).await;
    fixture.collect(2, 2, Sweep::OlderIncarnations).await;
    assert!(!fixture.exists(&left_over).await);
    assert!(fixture.exists(&under_way).await);
    assert!(fixture.exists(&m3).await && fixture.exists(&fixture.state(1, 3)).await);
}

#[tokio::test]
async fn an_incarnation_that_does_not_own_the_end_of_the_log_removes_nothing() {
    let (fixture, [m1, _, m3]) = three_checkpoints().await;
    fixture.job.claim(5, &start(2, Some(&m3)), "other").await.unwrap();
    fixture.collect(1, 1, Sweep::OlderIncarnations).await;
    assert!(fixture.exists(&m1).await);
    assert_eq!(fixture.job.read_log().await.unwrap().len(), 5);
}

#[tokio::test]
async fn nothing_is_removed_while_a_needed_manifest_cannot_be_read() {
    let (fixture, [m1, _, m3]) = three_checkpoints().await;
    fixture.put(&m3).await; // no JSON any more
    let problem = fixture.job.collect_garbage(1, Incarnation(1), Sweep::DroppedCheckpointsOnly).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::StateUnreadable);
    assert!(fixture.exists(&m1).await);
    assert_eq!(fixture.job.read_log().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_manifest_of_another_format_is_refused() {
    let fixture = Fixture::new();
    let newer = Manifest { format: MANIFEST_FORMAT + 1, ..manifest(1, 1, &[]) };
    let path = fixture.job.write_manifest(&newer).await.unwrap();
    let problem = fixture.job.read_manifest(&path).await.unwrap_err();
    assert_eq!((problem.kind, problem.object), (ProblemKind::StateUnreadable, path));
    assert_eq!(fixture.job.read_manifest("nowhere").await.unwrap_err().kind, ProblemKind::StateUnreadable);
}

#[tokio::test]
async fn a_deleted_application_leaves_nothing() {
    let (fixture, [_, _, m3]) = three_checkpoints().await;
    fixture.job.delete_everything().await.unwrap();
    assert!(!fixture.exists(&m3).await);
    assert!(fixture.job.read_log().await.unwrap().is_empty());
}
