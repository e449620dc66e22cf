//! Carries storage requests out, one after the other, so that a claim never overtakes the one before it. Only garbage
//! collection runs beside them: it touches nothing that a claim reads, and a second one waits for the first.

use std::sync::Arc;

use tidemill_model::job::{ApplicationId, JobSpec, StorageSpec};
use tidemill_model::snapshot::{Claim, LogRecord, Manifest, Pin, StartPoint, start_point};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_model::{CheckpointId, Incarnation};
use tidemill_storage::{ApplicationStore, Sweep};
use tokio::sync::{Mutex, mpsc};
use tracing::{info, warn};

use super::state::{Event, PublishFault, StartClaim, StartFault, StorageReply, StorageRequest};

/// How often a start is tried whose number was taken by an older incarnation's late record.
const CLAIM_ATTEMPTS: u32 = 5;

pub(super) type Order = (Arc<JobSpec>, StorageRequest);

/// Serves orders until the coordinator ends.
pub(super) async fn run(
    mut orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
    claimant: String,
) {
    let mut keeper = Keeper { opened: None, claimant, collecting: Arc::new(Mutex::new(())) };
    while let Some((job, request)) = orders.recv().await {
        if let Some(reply) = keeper.serve(&job, request).await {
            // the coordinator has ended if nobody listens
            let _ = events.send(Event::Storage(reply));
        }
    }
}

struct Keeper {
    opened: Option<(StorageSpec, ApplicationId, ApplicationStore)>,
    /// This process's own random name, which tells its log records from another coordinator's.
    claimant: String,
    collecting: Arc<Mutex<()>>,
}

impl Keeper {
    async fn serve(&mut self, job: &JobSpec, request: StorageRequest) -> Option<StorageReply> {
        match request {
            StorageRequest::ClaimStart { now_ms } => {
                Some(StorageReply::StartClaimed(self.claim_start(job, now_ms).await))
            }
            StorageRequest::Publish { sequence, manifest, record } => {
                let (incarnation, checkpoint) = (manifest.incarnation, manifest.checkpoint);
                let outcome = self.publish(job, sequence, &manifest, &record).await;
                Some(StorageReply::Published { incarnation, checkpoint, outcome })
            }
            StorageRequest::RecordCommit { incarnation, sequence, pins } => {
                let pins = self.record_commit(job, sequence, pins).await;
                Some(StorageReply::CommitRecorded { incarnation, sequence, pins })
            }
            StorageRequest::CollectGarbage { keep, incarnation, sweep } => {
                self.collect_garbage(job, keep, incarnation, sweep).await;
                None
            }
            StorageRequest::ReadPin { name } => {
                let outcome = match self.open(job).await {
                    Ok(store) => store.read_pin(&name).await,
                    Err(problem) => Err(problem),
                };
                Some(StorageReply::PinRead { name, outcome })
            }
        }
    }

    /// Opens the storage, and tries out once that it can be relied on.
    async fn open(&mut self, job: &JobSpec) -> Result<ApplicationStore, Problem> {
        if let Some((storage, application, store)) = &self.opened
            && (storage, application) == (&job.storage, &job.application)
        {
            return Ok(store.clone());
        }
        let store = ApplicationStore::new(tidemill_storage::open(&job.storage)?, &job.application);
        store.probe_conditional_create(&self.claimant).await?;
        self.opened = Some((job.storage.clone(), job.application.clone(), store.clone()));
        Ok(store)
    }

    async fn claim_start(&mut self, job: &JobSpec, now_ms: u64) -> Result<StartClaim, StartFault> {
        let store = self.open(job).await.map_err(StartFault::Failed)?;
        for _ in 0..CLAIM_ATTEMPTS {
            let point = read_start_point(&store, job, now_ms).await.map_err(StartFault::Failed)?;
            let restored_from = read_restored(&store, &point).await.map_err(StartFault::Failed)?;
            let claim = store.claim(point.sequence, &point.record, &self.claimant).await.map_err(StartFault::Failed)?;
            match judge_start(&point, &claim) {
                StartVerdict::Ours => return Ok(start_claim(point, restored_from)),
                StartVerdict::Fenced(by) => return Err(StartFault::Fenced { by }),
                StartVerdict::ReadAgain => {}
            }
        }
        Err(StartFault::Failed(Problem {
            kind: ProblemKind::StorageUnavailable,
            object: store.paths().log_folder(),
            message: "failed to begin an incarnation: other records came first again and again".to_string(),
            remedy: "look for another process that runs this application".to_string(),
        }))
    }

    async fn publish(
        &mut self,
        job: &JobSpec,
        sequence: u64,
        manifest: &Manifest,
        record: &LogRecord,
    ) -> Result<(), PublishFault> {
        let store = self.open(job).await.map_err(PublishFault::Declined)?;
        store.write_manifest(manifest).await.map_err(PublishFault::Declined)?;
        match store.claim(sequence, record, &self.claimant).await {
            Ok(Claim::Won) => Ok(()),
            Ok(Claim::Fenced { by }) => Err(PublishFault::Fenced { by }),
            Err(problem) => Err(PublishFault::Unknown(problem)),
        }
    }

    async fn record_commit(
        &mut self,
        job: &JobSpec,
        sequence: u64,
        pins: Vec<(String, Pin)>,
    ) -> Vec<(String, Pin, Result<(), Problem>)> {
        let store = match self.open(job).await {
            Ok(store) => store,
            Err(problem) => return pins.into_iter().map(|(name, pin)| (name, pin, Err(problem.clone()))).collect(),
        };
        if let Err(problem) = store.mark_committed(sequence).await {
            // harmless: the next incarnation commits once more, to the same effect
            warn!(sequence, %problem, "the commit is done but not on record");
        }
        let mut outcomes = Vec::new();
        for (name, pin) in pins {
            let outcome = store.write_pin(&name, &pin).await;
            outcomes.push((name, pin, outcome));
        }
        outcomes
    }

    async fn collect_garbage(&mut self, job: &JobSpec, keep: usize, incarnation: Incarnation, sweep: Sweep) {
        let Ok(store) = self.open(job).await else { return };
        let collecting = self.collecting.clone();
        tokio::spawn(async move {
            let _one_at_a_time = collecting.lock().await;
            match store.collect_garbage(keep, incarnation, sweep).await {
                Ok(collected) if collected.records + collected.files > 0 => {
                    info!(records = collected.records, files = collected.files, "garbage collected");
                }
                Ok(_) => {}
                // harmless: what is left over goes with a later collection or the next incarnation's sweep
                Err(problem) => warn!(%problem, "garbage collection failed"),
            }
        });
    }
}

async fn read_start_point(store: &ApplicationStore, job: &JobSpec, now_ms: u64) -> Result<StartPoint, Problem> {
    let log = store.read_log().await?;
    let committed = store.read_committed().await?;
    start_point(&log, |sequence| committed.contains(&sequence), &job.restore, &job.version, now_ms).map_err(|refused| {
        Problem {
            kind: ProblemKind::StateUnreadable,
            object: store.paths().log_folder(),
            message: refused.to_string(),
            remedy:
                "bring the storage location back, or restore from a snapshot or from Empty with a higher restore number"
                    .to_string(),
        }
    })
}

/// Reads what the start restores from before it claims anything: a missing snapshot must not cost an incarnation.
async fn read_restored(store: &ApplicationStore, point: &StartPoint) -> Result<Option<CheckpointId>, Problem> {
    match &point.record {
        LogRecord::Start { restore: Some(path), .. } => Ok(Some(store.read_manifest(path).await?.checkpoint)),
        LogRecord::Start { restore: None, .. } | LogRecord::Checkpoint { .. } => Ok(None),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum StartVerdict {
    Ours,
    Fenced(Incarnation),
    /// An older incarnation's last record came in late, perhaps our own one's: read it and go on after it.
    ReadAgain,
}

fn judge_start(point: &StartPoint, claim: &Claim) -> StartVerdict {
    match claim {
        Claim::Won => StartVerdict::Ours,
        Claim::Fenced { by } if *by < point.record.incarnation() => StartVerdict::ReadAgain,
        Claim::Fenced { by } => StartVerdict::Fenced(*by),
    }
}

fn start_claim(point: StartPoint, restored_from: Option<CheckpointId>) -> StartClaim {
    let incarnation = point.record.incarnation();
    let (restore, restore_number, last_checkpoint) = match point.record {
        LogRecord::Start { restore, restore_number, last_checkpoint, .. } => (restore, restore_number, last_checkpoint),
        LogRecord::Checkpoint { checkpoint, manifest, restore_number, .. } => {
            (Some(manifest), restore_number, checkpoint)
        }
    };
    StartClaim {
        incarnation,
        sequence: point.sequence,
        restore,
        restored_from,
        restore_number,
        last_checkpoint,
        commit: point.commit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(incarnation: u64) -> StartPoint {
        let record = LogRecord::Start {
            incarnation: Incarnation(incarnation),
            version: "v".into(),
            restore: None,
            restore_number: 0,
            last_checkpoint: CheckpointId(0),
            at_ms: 0,
        };
        StartPoint { sequence: 1, record, commit: None }
    }

    #[test]
    fn a_late_record_of_an_older_incarnation_is_read_and_a_rival_fences() {
        let fenced = |by| Claim::Fenced { by: Incarnation(by) };
        assert_eq!(judge_start(&point(5), &Claim::Won), StartVerdict::Ours);
        assert_eq!(judge_start(&point(5), &fenced(4)), StartVerdict::ReadAgain);
        assert_eq!(judge_start(&point(5), &fenced(5)), StartVerdict::Fenced(Incarnation(5)));
        assert_eq!(judge_start(&point(5), &fenced(6)), StartVerdict::Fenced(Incarnation(6)));
    }
}
