//! Writes the staged rows of a checkpoint as objects, and then tells which folders are complete. Runs on a helper thread
//! that is not a runtime's own.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use tidemill_engine::connector::{Committer, Result};
use tidemill_model::CheckpointId;
use tidemill_model::status::{Problem, ProblemKind};
use tokio::runtime::Runtime;

use super::completion::{Completion, Note, reached};
use super::partitions::Partitioning;
use super::parts::{Part, Parts};
use crate::frames;

pub struct PartCommitter {
    pub table: String,
    pub store: Arc<dyn ObjectStore>,
    /// What files' names begin with, and how they end.
    pub prefix: String,
    pub extension: &'static str,
    pub file_bytes: u64,
    pub partitioning: Partitioning,
    pub completing: Option<Completing>,
    pub runtime: Runtime,
}

/// Telling which folders are complete.
pub struct Completing {
    pub completion: Completion,
    /// The folder of the slots' notes.
    pub notes: String,
    pub slot: u32,
    /// All slots that there are.
    pub slots: u32,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
}

/// A slot's note, and the slot.
type SlotNote = (u32, Note);

impl PartCommitter {
    fn put_part(&self, checkpoint: CheckpointId, part: Option<Part>) -> Result<()> {
        let Some(Part { folder, number, lines }) = part else { return Ok(()) };
        let name = format!("{}-{checkpoint}-{number}.{}", self.prefix, self.extension);
        self.put(&below(&folder, &name), PutPayload::from_iter(lines))
    }

    fn put(&self, path: &str, payload: PutPayload) -> Result<()> {
        let path = self.path(path)?;
        let put = self.runtime.block_on(self.store.put(&path, payload));
        put.map(drop).map_err(|error| self.unreachable(&path, "write", &error))
    }

    /// Names are written as they are: what is special in them has been escaped.
    fn path(&self, path: &str) -> Result<Path> {
        Path::parse(path).map_err(|error| Problem {
            kind: ProblemKind::SinkUnreachable,
            object: self.table.clone(),
            message: format!("`{path}` cannot be the name of a file: {error}"),
            remedy: "leave out rows with such values in the columns that the table is partitioned by".into(),
        })
    }

    fn unreachable(&self, path: &Path, act: &str, error: &object_store::Error) -> Problem {
        let storage = tidemill_storage::problem(path.as_ref(), &format!("failed to {act} `{path}`"), error);
        Problem { kind: ProblemKind::SinkUnreachable, object: self.table.clone(), ..storage }
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Problem {
        Problem {
            kind: ProblemKind::StateUnreadable,
            object: self.table.clone(),
            message: format!("output that was staged cannot be read: {what}"),
            remedy: "restore from an older snapshot with spec.restore".into(),
        }
    }

    /// Puts lines where they belong; gives the note, if there is one.
    fn add(&self, parts: &mut Parts, checkpoint: CheckpointId, chunk: Vec<u8>) -> Result<Option<Note>> {
        let chunk = Bytes::from(chunk);
        if self.partitioning.is_none() {
            self.put_part(checkpoint, parts.add("", chunk))?;
            return Ok(None);
        }
        let mut note = None;
        for frame in frames::read(&chunk) {
            let frame = frame.map_err(|_| self.damaged("it ends too early"))?;
            let value = frame.value.unwrap_or_default();
            match frame.key {
                Some(folder) => {
                    let folder = std::str::from_utf8(folder).map_err(|error| self.damaged(error))?;
                    self.put_part(checkpoint, parts.add(folder, chunk.slice_ref(value)))?;
                }
                None => note = Some(serde_json::from_slice(value).map_err(|error| self.damaged(error))?),
            }
        }
        Ok(note)
    }

    /// Adds to what the slot has noted, reads what all have, and tells of the folders that are complete by that. A folder
    /// may be told of again: that is harmless, and necessary if it has had more rows.
    fn complete(&self, completing: &Completing, newer: Note) -> Result<()> {
        let mut own = self.note(&completing.path(completing.slot))?.unwrap_or_default();
        own.absorb(newer);
        self.put_note(completing, &own)?;
        let notes = self.notes(completing)?;
        let of_slot = |slot: u32| notes.iter().find(|(other, _)| *other == slot).map(|(_, note)| note);
        let reached = reached((0..completing.slots).map(of_slot));
        let now_ms = (completing.clock)();
        let Completing { completion, .. } = completing;
        let mut complete = Vec::new();
        for (folder, since_ms) in notes.iter().flat_map(|(_, note)| &note.open) {
            let is_complete = completion.is_complete(folder, *since_ms, &self.partitioning, reached, now_ms);
            if is_complete.map_err(|fault| self.timeless(fault))? {
                self.put(&below(folder, &completion.file), PutPayload::new())?;
                complete.push(folder);
            }
        }
        let before = own.open.clone();
        // Slots that are no more leave their folders to the first one.
        let gone = notes.iter().filter(|(slot, _)| completing.slot == 0 && *slot >= completing.slots);
        for (slot, note) in gone {
            own.absorb(Note { open: note.open.clone(), ..Note::default() });
            self.put_note(completing, &own)?;
            self.delete(&completing.path(*slot))?;
        }
        own.open.retain(|folder, _| !complete.contains(&folder));
        if own.open == before { Ok(()) } else { self.put_note(completing, &own) }
    }

    fn timeless(&self, fault: String) -> Problem {
        Problem {
            kind: ProblemKind::SinkUnreachable,
            object: self.table.clone(),
            message: fault,
            remedy:
                "correct `partition.time-extractor.timestamp-pattern`, which makes such as 2026-01-02 03:04:05 of the \
                     columns, and leave out rows in which they are NULL"
                    .into(),
        }
    }

    fn put_note(&self, completing: &Completing, note: &Note) -> Result<()> {
        let text = serde_json::to_vec(note).map_err(|error| self.damaged(error))?;
        self.put(&completing.path(completing.slot), PutPayload::from(text))
    }

    fn notes(&self, completing: &Completing) -> Result<Vec<SlotNote>> {
        let folder = self.path(&completing.notes)?;
        let list = self.store.list(Some(&folder)).try_collect::<Vec<ObjectMeta>>();
        let found = self.runtime.block_on(list).map_err(|error| self.unreachable(&folder, "list", &error))?;
        let mut notes = Vec::with_capacity(found.len());
        for meta in found {
            let slot = meta.location.filename().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            let Some(slot) = slot else { continue };
            // One that is gone by now has been taken over.
            notes.extend(self.note(meta.location.as_ref())?.map(|note| (slot, note)));
        }
        Ok(notes)
    }

    fn note(&self, path: &str) -> Result<Option<Note>> {
        let path = self.path(path)?;
        let read = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
        match read {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| self.damaged(error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.unreachable(&path, "read", &error)),
        }
    }

    fn delete(&self, path: &str) -> Result<()> {
        let path = self.path(path)?;
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.unreachable(&path, "delete", &error)),
        }
    }
}

impl Completing {
    fn path(&self, slot: u32) -> String {
        format!("{}/{slot}.json", self.notes)
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}

impl Committer for PartCommitter {
    fn commit(&mut self, checkpoint: CheckpointId, chunks: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
        let mut parts = Parts::new(self.file_bytes);
        let mut note = None;
        for chunk in chunks {
            note = self.add(&mut parts, checkpoint, chunk?)?.or(note);
        }
        for part in parts.finish() {
            self.put_part(checkpoint, Some(part))?;
        }
        match (&self.completing, note) {
            (Some(completing), Some(note)) => self.complete(completing, note),
            (Some(_), None) | (None, _) => Ok(()),
        }
    }
}
