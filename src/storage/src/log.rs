//! The log's I/O: reading it, claiming the next number, and the markers of finished commits. What a claim's outcome
//! means is decided by [`judge_claim`]; this only finds out what stands in storage, however replies get lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use tidemill_model::Incarnation;
use tidemill_model::snapshot::{Claim, LogRecord, judge_claim};
use tidemill_model::status::Problem;

use crate::application::{CONCURRENCY, json};
use crate::{ApplicationStore, problem};

/// How often a create is tried whose outcome can be read back as "not there".
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// A record as it is stored. Two coordinators may come up with the very same record in the same millisecond; who wrote
/// it tells whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    claimant: String,
    #[serde(flatten)]
    record: LogRecord,
}

impl ApplicationStore {
    /// The whole log. A record that vanishes while it is being read was superseded, and is left out.
    pub async fn read_log(&self) -> Result<BTreeMap<u64, LogRecord>, Problem> {
        let sequences = self.log_sequences(0).await?;
        let records = futures::stream::iter(sequences)
            .map(|sequence| async move { Ok::<_, Problem>((sequence, self.read_entry(sequence).await?)) })
            .buffered(CONCURRENCY);
        records
            .try_filter_map(|(sequence, entry)| async move { Ok(entry.map(|entry| (sequence, entry.record))) })
            .try_collect()
            .await
    }

    /// Tries to create `mine` at `sequence`. `claimant` is this process's own random name. An error leaves open whether
    /// the record exists: the caller must act as if it had lost, and find out by reading the log.
    pub async fn claim(&self, sequence: u64, mine: &LogRecord, claimant: &str) -> Result<Claim, Problem> {
        let entry = Entry { claimant: claimant.to_string(), record: mine.clone() };
        let existing = self.create_or_read(sequence, &entry).await?;
        let later = self.latest_after(sequence).await?;
        if existing.claimant != entry.claimant {
            return Ok(Claim::Fenced { by: later.unwrap_or(existing.record.incarnation()) });
        }
        Ok(judge_claim(mine, &existing.record, later))
    }

    /// Records that the output of the checkpoint with this log record is visible.
    pub async fn mark_committed(&self, sequence: u64) -> Result<(), Problem> {
        let path = self.paths.committed(sequence);
        self.write(&path, &serde_json::json!({}), "failed to record that the checkpoint's output is visible").await
    }

    /// The numbers of checkpoint records whose output is known to be visible.
    pub async fn read_committed(&self) -> Result<BTreeSet<u64>, Problem> {
        let folder = self.paths.committed_folder();
        Ok(self.list(&folder).await?.iter().filter_map(|path| self.paths.parse_committed(path)).collect())
    }

    async fn create_or_read(&self, sequence: u64, entry: &Entry) -> Result<Entry, Problem> {
        let path = self.paths.log_record(sequence);
        let mut attempt = 1;
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let Err(error) = self.store.put_opts(&Path::from(path.as_str()), json(entry), options).await else {
                return Ok(entry.clone());
            };
            if is_definite(&error) {
                return Err(problem(&path, "failed to create the log record", &error));
            }
            // taken, or an ambiguous reply: only the store knows
            if let Some(existing) = self.read_entry(sequence).await? {
                return Ok(existing);
            }
            if attempt == ATTEMPTS {
                return Err(problem(&path, "failed to create the log record", &error));
            }
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn latest_after(&self, sequence: u64) -> Result<Option<Incarnation>, Problem> {
        for later in self.log_sequences(sequence + 1).await?.into_iter().rev() {
            if let Some(entry) = self.read_entry(later).await? {
                return Ok(Some(entry.record.incarnation()));
            }
        }
        Ok(None)
    }

    async fn log_sequences(&self, from: u64) -> Result<BTreeSet<u64>, Problem> {
        let paths = self.list(&self.paths.log_folder()).await?;
        Ok(paths
            .iter()
            .filter_map(|path| self.paths.parse_log_record(path))
            .filter(|sequence| *sequence >= from)
            .collect())
    }

    async fn read_entry(&self, sequence: u64) -> Result<Option<Entry>, Problem> {
        self.read_optional(&self.paths.log_record(sequence), "failed to read the log record").await
    }
}

/// Whether the store says for certain that nothing was written and that asking again will not help.
fn is_definite(error: &object_store::Error) -> bool {
    use object_store::Error::{NotImplemented, NotSupported, PermissionDenied, Unauthenticated};
    matches!(error, NotSupported { .. } | NotImplemented { .. } | PermissionDenied { .. } | Unauthenticated { .. })
}
