//! Garbage collection: removes what no checkpoint that is kept, no snapshot and no start needs any more.
//!
//! Only the incarnation that owns the log's end may collect, and never a file that a needed manifest names: a needed
//! manifest that cannot be read ends the collection with nothing removed. Log records go first, so that nobody finds
//! a checkpoint whose files are half gone; what a crash leaves over is swept by the next incarnation.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use tidemill_model::Incarnation;
use tidemill_model::snapshot::{LogRecord, Manifest, Pin, superseded};
use tidemill_model::status::{Problem, ProblemKind};

use crate::application::CONCURRENCY;
use crate::{ApplicationStore, problem};

/// What to look at besides the checkpoints that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Also files of older incarnations that nothing names. Enough once per incarnation, for older ones write no more.
    OlderIncarnations,
    DroppedCheckpointsOnly,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub records: usize,
    pub files: usize,
}

impl ApplicationStore {
    /// Removes everything but the last `keep` checkpoints and what is pinned.
    pub async fn collect_garbage(&self, keep: usize, by: Incarnation, sweep: Sweep) -> Result<Collected, Problem> {
        let log = self.read_log().await?;
        if !may_collect(&log, by) {
            return Ok(Collected::default());
        }
        let dropped = superseded(&log, keep);
        if dropped.is_empty() && sweep == Sweep::DroppedCheckpointsOnly {
            return Ok(Collected::default());
        }
        let pins = self.list_pins().await?;
        let needed = needed_manifests(&log, &dropped, &pins);
        let live = self.live_files(&needed).await?;
        let mut files = self.files_of_dropped(&log, &dropped).await?;
        if sweep == Sweep::OlderIncarnations {
            files.extend(self.files_of_older_incarnations(by).await?);
        }
        let root = format!("{}/", self.paths.root());
        files.retain(|path| path.starts_with(&root) && !live.contains(path));
        self.remove(&dropped, files).await
    }

    async fn remove(&self, dropped: &[u64], files: BTreeSet<String>) -> Result<Collected, Problem> {
        for sequence in dropped {
            self.delete(&self.paths.log_record(*sequence)).await?;
            self.delete(&self.paths.committed(*sequence)).await?;
        }
        let collected = Collected { records: dropped.len(), files: files.len() };
        self.delete_all(files).await?;
        Ok(collected)
    }

    /// The needed manifests themselves and every file that they name.
    async fn live_files(&self, needed: &BTreeSet<String>) -> Result<BTreeSet<String>, Problem> {
        let manifests = futures::stream::iter(needed.clone())
            .map(|path| async move { self.read_manifest(&path).await })
            .buffer_unordered(CONCURRENCY);
        let manifests: Vec<Manifest> = manifests.try_collect().await?;
        let files = manifests.iter().flat_map(Manifest::files).map(str::to_string);
        Ok(files.chain(needed.iter().cloned()).collect())
    }

    async fn files_of_dropped(
        &self,
        log: &BTreeMap<u64, LogRecord>,
        dropped: &[u64],
    ) -> Result<BTreeSet<String>, Problem> {
        let mut files = BTreeSet::new();
        for path in dropped.iter().filter_map(|sequence| checkpoint_manifest(&log[sequence])) {
            match self.read_manifest(path).await {
                Ok(manifest) => files.extend(manifest.files().map(str::to_string)),
                // gone or damaged: the next incarnation's sweep finds its files without it
                Err(problem) if problem.kind == ProblemKind::StateUnreadable => {}
                Err(problem) => return Err(problem),
            }
            files.insert(path.to_string());
        }
        Ok(files)
    }

    async fn files_of_older_incarnations(&self, by: Incarnation) -> Result<Vec<String>, Problem> {
        let root = self.paths.data_root();
        let folders = self
            .store
            .list_with_delimiter(Some(&Path::from(root.as_str())))
            .await
            .map_err(|error| problem(&root, "failed to list the data folders", &error))?;
        let mut files = Vec::new();
        for folder in folders.common_prefixes {
            let older = self.paths.parse_data_folder(folder.as_ref()).is_some_and(|incarnation| incarnation < by);
            if older {
                files.extend(self.list(folder.as_ref()).await?);
            }
        }
        Ok(files)
    }
}

/// Whether the log still ends with a record of the incarnation that wants to collect.
fn may_collect(log: &BTreeMap<u64, LogRecord>, by: Incarnation) -> bool {
    log.last_key_value().is_some_and(|(_, last)| last.incarnation() == by)
}

/// The manifests that a restart or a user may still restore from, or whose output may still have to be committed.
fn needed_manifests(log: &BTreeMap<u64, LogRecord>, dropped: &[u64], pins: &BTreeMap<String, Pin>) -> BTreeSet<String> {
    let kept = log.iter().filter(|(sequence, _)| !dropped.contains(sequence)).filter_map(|(_, record)| match record {
        LogRecord::Start { restore, .. } => restore.as_ref(),
        LogRecord::Checkpoint { manifest, .. } => Some(manifest),
    });
    kept.chain(pins.values().map(|pin| &pin.manifest)).cloned().collect()
}

fn checkpoint_manifest(record: &LogRecord) -> Option<&str> {
    match record {
        LogRecord::Start { .. } => None,
        LogRecord::Checkpoint { manifest, .. } => Some(manifest),
    }
}
