//! What engine threads hand over at a checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use tidemill_model::CheckpointId;
use tidemill_model::snapshot::SplitState;

use crate::connector::Prepared;
use crate::operator::Capture;

/// One participant's part of a checkpoint, or output staged between checkpoints.
pub enum Part {
    Splits {
        checkpoint: CheckpointId,
        splits: Vec<SplitState>,
    },
    State {
        checkpoint: CheckpointId,
        thread: u32,
        captured: Capture,
    },
    Prepared {
        checkpoint: CheckpointId,
        sink: String,
        slot: u32,
        prepared: Prepared,
    },
    /// Belongs to the checkpoint that its sink prepares next.
    Chunk {
        sink: String,
        slot: u32,
        bytes: Vec<u8>,
    },
}

impl Part {
    fn staged_bytes(&self) -> u64 {
        match self {
            Self::Chunk { bytes, .. } => bytes.len() as u64,
            Self::Splits { .. } | Self::State { .. } | Self::Prepared { .. } => 0,
        }
    }
}

/// Staged bytes that may wait for their upload before sinks hold rows back.
const WAITING_BYTES: u64 = 256 << 20;

/// The engine threads' end of the way to the collector.
#[derive(Clone)]
pub struct Parts {
    sender: Sender<Part>,
    waiting: Arc<AtomicU64>,
}

/// The collector's end.
pub struct PartsReceiver {
    receiver: Receiver<Part>,
    waiting: Arc<AtomicU64>,
}

impl Parts {
    pub fn new() -> (Self, PartsReceiver) {
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicU64::new(0));
        (Self { sender, waiting: waiting.clone() }, PartsReceiver { receiver, waiting })
    }

    pub fn send(&self, part: Part) {
        self.waiting.fetch_add(part.staged_bytes(), Ordering::Relaxed);
        // The collector ends only with the process; a part that comes after that is not missed.
        let _ = self.sender.send(part);
    }

    pub fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > WAITING_BYTES
    }
}

impl PartsReceiver {
    /// The next part; none once no thread can send any more.
    pub fn next(&self) -> Option<(Part, Waiting)> {
        let part = self.receiver.recv().ok()?;
        let bytes = part.staged_bytes();
        Some((part, Waiting { bytes, waiting: self.waiting.clone() }))
    }
}

/// Counts a part's bytes as waiting until it is dropped.
pub struct Waiting {
    bytes: u64,
    waiting: Arc<AtomicU64>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
