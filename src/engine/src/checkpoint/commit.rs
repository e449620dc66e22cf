//! Makes the staged output of claimed checkpoints visible, one checkpoint after the other. Runs on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_model::CheckpointId;
use tidemill_model::control::EngineEvent;
use tidemill_model::snapshot::{Committable, StateFile};
use tidemill_model::status::{Problem, ProblemKind};
use tokio::runtime::Handle;

use crate::connector::{Committer, Result};
use crate::run::OpenSink;

/// A claimed checkpoint and what this process has to commit of it.
pub struct CommitJob {
    pub checkpoint: CheckpointId,
    pub committables: Vec<Committable>,
}

/// The committers of this process, made when they are first needed.
pub struct Committers {
    sinks: Vec<Arc<OpenSink>>,
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    made: BTreeMap<(String, u32), Box<dyn Committer>>,
}

impl Committers {
    pub fn new(sinks: Vec<Arc<OpenSink>>, store: Arc<dyn ObjectStore>, runtime: Handle) -> Self {
        Self { sinks, store, runtime, made: BTreeMap::new() }
    }

    /// Commits until nothing more will come. A failure ends the incarnation; the next one commits again.
    pub fn run(mut self, jobs: &Receiver<CommitJob>, events: impl Fn(EngineEvent)) -> Result<()> {
        while let Ok(job) = jobs.recv() {
            for committable in &job.committables {
                self.commit(job.checkpoint, committable)?;
            }
            events(EngineEvent::Committed { id: job.checkpoint });
        }
        Ok(())
    }

    fn commit(&mut self, checkpoint: CheckpointId, committable: &Committable) -> Result<()> {
        let (store, runtime) = (self.store.clone(), self.runtime.clone());
        let committer = self.committer(committable)?;
        let mut chunks = committable.chunks.iter().map(|chunk| runtime.block_on(read_file(&store, chunk)));
        committer.commit(checkpoint, &mut chunks)
    }

    fn committer(&mut self, committable: &Committable) -> Result<&mut Box<dyn Committer>> {
        let key = (committable.sink.clone(), committable.slot);
        if !self.made.contains_key(&key) {
            let sink =
                self.sinks.iter().find(|sink| sink.uid == committable.sink).ok_or_else(|| orphan(committable))?;
            let committer = sink.sink.committer(committable.slot)?.ok_or_else(|| orphan(committable))?;
            self.made.insert(key.clone(), committer);
        }
        self.made.get_mut(&key).ok_or_else(|| orphan(committable))
    }
}

fn orphan(committable: &Committable) -> Problem {
    Problem {
        kind: ProblemKind::StateUnreadable,
        object: committable.sink.clone(),
        message: "output that was staged for this sink has not been committed, and the sink is no longer there"
            .to_string(),
        remedy: "start the former version of the application once more, so that it can commit".to_string(),
    }
}

/// Reads a file that a manifest refers to and checks that it is whole.
pub async fn read_file(store: &Arc<dyn ObjectStore>, file: &StateFile) -> Result<Vec<u8>> {
    let failed = |error| tidemill_storage::problem(&file.path, "failed to read", &error);
    let read = store.get(&Path::from(file.path.as_str())).await.map_err(failed)?;
    let bytes = read.bytes().await.map_err(failed)?;
    if bytes.len() as u64 != file.bytes || crc32fast::hash(&bytes) != file.crc32 {
        return Err(Problem {
            kind: ProblemKind::StateUnreadable,
            object: file.path.clone(),
            message: "the file is not what was written: its length or checksum differs".to_string(),
            remedy: "restore from an older snapshot with spec.restore".to_string(),
        });
    }
    Ok(bytes.into())
}
