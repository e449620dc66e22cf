//! Gathers the parts of a checkpoint, uploads what has to be uploaded, and says when all of this process is durable.
//! Runs on a thread of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tidemill_model::control::{EngineEvent, WorkerCapture};
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_model::snapshot::{ApplicationPaths, Committable, OperatorState, StateFile};
use tidemill_model::status::Problem;
use tidemill_model::{CheckpointId, Incarnation};
use tokio::runtime::Handle;

use super::parts::{Part, PartsReceiver};
use super::staged::Staged;
use crate::connector::{Prepared, Result};
use crate::operator::{Capture, internal};
use crate::state;

/// A state file is complete when it has so many bytes: few enough to be made in memory, enough for a store's requests.
const FILE_BYTES: usize = 16 << 20;

/// How long uploads wait after a failure: from the first to the second, doubling.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Writes objects, again and again until it works: a store that is away delays checkpoints and harms nothing else.
#[derive(Clone)]
pub struct Uploads {
    pub store: Arc<dyn ObjectStore>,
    pub paths: ApplicationPaths,
    pub incarnation: Incarnation,
    pub runtime: Handle,
    pub problem: Arc<Mutex<Option<Problem>>>,
    next_chunk: Arc<AtomicU64>,
}

impl Uploads {
    pub fn new(
        store: Arc<dyn ObjectStore>,
        paths: ApplicationPaths,
        incarnation: Incarnation,
        runtime: Handle,
    ) -> Self {
        Self { store, paths, incarnation, runtime, problem: Default::default(), next_chunk: Default::default() }
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        let payload = PutPayload::from(bytes);
        let mut pause = RETRY.0;
        loop {
            let result = self.runtime.block_on(self.store.put(&Path::from(path), payload.clone()));
            let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(_) => {
                    *problem = None;
                    return;
                }
                Err(error) => {
                    *problem = Some(tidemill_storage::problem(path, "failed to write", &error));
                }
            }
            drop(problem);
            std::thread::sleep(pause);
            pause = (pause * 2).min(RETRY.1);
        }
    }

    fn chunk(&self, sink: &str, slot: u32, bytes: Vec<u8>) -> StateFile {
        let number = self.next_chunk.fetch_add(1, Ordering::Relaxed);
        let path = self.paths.staged(self.incarnation, &format!("{sink}-{slot}-{number}"));
        self.file(path, bytes, 0, KeyGroupRange::ALL)
    }

    fn file(&self, path: String, bytes: Vec<u8>, rows: u64, key_groups: KeyGroupRange) -> StateFile {
        let file = StateFile { path, bytes: bytes.len() as u64, rows, crc32: crc32fast::hash(&bytes), key_groups };
        self.put(&file.path, bytes);
        file
    }
}

/// See the module.
pub struct Collector {
    pub uploads: Uploads,
    /// Parts that make up this process' share of a checkpoint.
    pub expected: usize,
    staged: Arc<Mutex<Staged>>,
    open: BTreeMap<CheckpointId, Open>,
}

#[derive(Default)]
struct Open {
    parts: usize,
    capture: WorkerCapture,
}

impl Collector {
    pub fn new(uploads: Uploads, expected: usize) -> Self {
        Self { uploads, expected, staged: Default::default(), open: BTreeMap::new() }
    }

    /// A view of what is staged, for the thread that takes commands.
    pub fn claims(&self) -> Claims {
        Claims { staged: self.staged.clone() }
    }

    /// Gathers until the engine threads are gone. A failure is one that trying again cannot mend.
    pub fn run(mut self, parts: PartsReceiver, events: impl Fn(EngineEvent)) -> Result<()> {
        while let Some((part, _waiting)) = parts.next() {
            if let Some((id, capture)) = self.take(part)? {
                events(EngineEvent::Captured { id, capture });
            }
        }
        Ok(())
    }

    /// Takes a part in. Returns the checkpoint that it completed.
    fn take(&mut self, part: Part) -> Result<Option<(CheckpointId, WorkerCapture)>> {
        let checkpoint = match part {
            Part::Chunk { sink, slot, bytes } => {
                self.stage(&sink, slot, bytes);
                return Ok(None);
            }
            Part::Splits { checkpoint, splits } => {
                self.open(checkpoint).capture.splits.extend(splits);
                checkpoint
            }
            Part::State { checkpoint, thread, captured } => {
                let files = self.state_files(checkpoint, thread, &captured)?;
                let Capture { operator, layout, watermark, .. } = captured;
                let state = OperatorState { operator, layout, files, watermark_ms: watermark };
                add_state(&mut self.open(checkpoint).capture, state);
                checkpoint
            }
            Part::Prepared { checkpoint, sink, slot, prepared } => {
                match prepared {
                    Prepared::Done => {}
                    Prepared::Flush(flush) => flush()?,
                    Prepared::Staged(bytes) if bytes.is_empty() => {}
                    Prepared::Staged(bytes) => self.stage(&sink, slot, bytes),
                }
                self.staged().cut(&sink, slot, checkpoint);
                checkpoint
            }
        };
        self.open(checkpoint).parts += 1;
        if self.open(checkpoint).parts < self.expected {
            return Ok(None);
        }
        let mut capture = self.open.remove(&checkpoint).unwrap_or_default().capture;
        // Checkpoints are announced one after the other; what is still open before this one has been given up.
        self.open = self.open.split_off(&checkpoint);
        capture.committables = self.staged().committables(checkpoint);
        Ok(Some((checkpoint, capture)))
    }

    fn open(&mut self, checkpoint: CheckpointId) -> &mut Open {
        self.open.entry(checkpoint).or_default()
    }

    fn stage(&mut self, sink: &str, slot: u32, bytes: Vec<u8>) {
        let chunk = self.uploads.chunk(sink, slot, bytes);
        self.staged().add(sink, slot, chunk);
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_files(&self, checkpoint: CheckpointId, thread: u32, captured: &Capture) -> Result<Vec<StateFile>> {
        let (operator, uploads) = (&captured.operator, &self.uploads);
        let mut files = Vec::new();
        state::encode(&captured.rows, FILE_BYTES, |file| {
            let part = format!("{operator}-{thread}-{}", files.len());
            let path = uploads.paths.state(uploads.incarnation, checkpoint, &part);
            files.push(uploads.file(path, file.bytes, file.rows, file.key_groups));
        })
        .map_err(|error| internal(operator, error))?;
        Ok(files)
    }
}

fn add_state(capture: &mut WorkerCapture, state: OperatorState) {
    match capture.operators.iter_mut().find(|known| known.operator == state.operator) {
        Some(known) => known.add(state),
        None => capture.operators.push(state),
    }
}

/// Hands the chunks of claimed checkpoints over to be committed.
#[derive(Clone)]
pub struct Claims {
    staged: Arc<Mutex<Staged>>,
}

impl Claims {
    /// `checkpoint` is claimed: what has to be committed now.
    pub fn claim(&self, checkpoint: CheckpointId) -> Vec<Committable> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let committables = staged.committables(checkpoint);
        staged.claimed(checkpoint);
        committables
    }
}
