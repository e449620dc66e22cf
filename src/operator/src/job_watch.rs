//! One long-polling task per running application: it has the application reconciled when its job has news. It decides
//! nothing and remembers nothing that a reconcile relies on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use kube::runtime::reflector::ObjectRef;
use tidemill_model::Incarnation;
use tidemill_model::status::{JobPhase, JobStatus, Problem, SnapshotOutcome};

use crate::job_api::{JobApi, LongPoll};
use crate::resources::Application;

type Key = ObjectRef<Application>;

/// All watches.
pub struct JobWatches {
    jobs: Arc<dyn JobApi>,
    trigger: UnboundedSender<Key>,
    tasks: Mutex<HashMap<Key, Watch>>,
}

struct Watch {
    address: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const WAIT: Duration = Duration::from_secs(30);
/// While a worker comes up, every tenth of a second counts for the user who waits.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Counters alone have an application reconciled this often at most.
const COUNTERS_INTERVAL: Duration = Duration::from_secs(60);

impl JobWatches {
    pub fn new(jobs: Arc<dyn JobApi>, trigger: UnboundedSender<Key>) -> Self {
        Self { jobs, trigger, tasks: Mutex::default() }
    }

    /// Watches the job at this address, and no other, for the application.
    pub fn follow(&self, key: &Key, address: &str) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.get(key).is_some_and(|watch| watch.address == address && !watch.task.is_finished()) {
            return;
        }
        let task = watch(self.jobs.clone(), address.to_string(), self.trigger.clone(), key.clone());
        tasks.insert(key.clone(), Watch { address: address.to_string(), task: tokio::spawn(task) });
    }

    pub fn forget(&self, key: &Key) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

async fn watch(jobs: Arc<dyn JobApi>, address: String, trigger: UnboundedSender<Key>, key: Key) {
    let mut known: Option<News> = None;
    let mut told_at = Instant::now();
    let mut poll = LongPoll { after: 0, wait: WAIT };
    let mut retry = FIRST_RETRY;
    loop {
        let news = match jobs.status(&address, Some(poll)).await {
            Ok(status) => {
                retry = FIRST_RETRY;
                poll.after = status.revision;
                Some(News::of(&status))
            }
            Err(_) => {
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(LAST_RETRY);
                poll.after = 0;
                None
            }
        };
        if news != known || (news.is_some() && told_at.elapsed() >= COUNTERS_INTERVAL) {
            known = news;
            told_at = Instant::now();
            if trigger.unbounded_send(key.clone()).is_err() {
                return;
            }
        }
    }
}

/// What of a status is worth a reconcile at once.
#[derive(PartialEq)]
struct News {
    phase: JobPhase,
    version: String,
    incarnation: Incarnation,
    workers: u32,
    threads: u32,
    connected: u32,
    restarts: u64,
    problems: Vec<Problem>,
    has_checkpoint: bool,
    has_record: bool,
    snapshots: BTreeMap<String, SnapshotOutcome>,
}

impl News {
    fn of(status: &JobStatus) -> Self {
        Self {
            phase: status.phase.clone(),
            version: status.version.clone(),
            incarnation: status.incarnation,
            workers: status.workers,
            threads: status.threads_per_worker,
            connected: status.workers_connected,
            restarts: status.restarts,
            problems: status.problems.clone(),
            has_checkpoint: status.last_checkpoint.is_some(),
            has_record: status.first_record_at_ms.is_some(),
            snapshots: status.snapshots.clone(),
        }
    }
}
