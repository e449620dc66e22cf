//! Writes the staged rows of a checkpoint as objects. Runs on a helper thread that is not a runtime's own.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tidemill_engine::connector::{Committer, Result};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};
use tokio::runtime::Runtime;

/// An object is closed when it has this much. Chunks are never divided, and come back the same in a replay, so the
/// objects do too.
const OBJECT_BYTES: usize = 64 << 20;

pub struct PartCommitter {
    table: String,
    store: Arc<dyn ObjectStore>,
    prefix: String,
    extension: &'static str,
    runtime: Runtime,
}

impl PartCommitter {
    pub fn new(table: String, store: Arc<dyn ObjectStore>, prefix: String, extension: &'static str) -> Result<Self> {
        let runtime = super::runtime(&table)?;
        Ok(Self { table, store, prefix, extension, runtime })
    }

    fn put(&self, checkpoint: CheckpointId, number: u32, chunks: &mut Vec<Bytes>) -> Result<()> {
        let path = Path::from(format!("{}-{checkpoint}-{number}.{}", self.prefix, self.extension));
        let payload = PutPayload::from_iter(std::mem::take(chunks));
        self.runtime.block_on(self.store.put(&path, payload)).map_err(|error| self.unreachable(&path, &error))?;
        Ok(())
    }

    fn unreachable(&self, path: &Path, error: &object_store::Error) -> Problem {
        let storage = tidemill_storage::problem(path.as_ref(), &format!("failed to write `{path}`"), error);
        Problem { kind: ProblemKind::SinkUnreachable, object: self.table.clone(), ..storage }
    }
}

impl Committer for PartCommitter {
    fn commit(&mut self, checkpoint: CheckpointId, chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
        let (mut open, mut bytes, mut number) = (Vec::new(), 0, 0);
        for chunk in chunks {
            let chunk = chunk?;
            bytes += chunk.len();
            open.push(Bytes::from(chunk));
            if bytes >= OBJECT_BYTES {
                self.put(checkpoint, number, &mut open)?;
                (bytes, number) = (0, number + 1);
            }
        }
        match bytes {
            0 => Ok(()),
            _ => self.put(checkpoint, number, &mut open),
        }
    }
}
