//! Reads a checkpoint back: checks that it fits the plan, and loads the state that this process' threads own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use object_store::ObjectStore;
use tidemill_model::key_groups::{HASH_VERSION, KeyGroupRange};
use tidemill_model::snapshot::{Manifest, SplitState};
use tidemill_model::status::{Problem, ProblemKind};

use crate::checkpoint::read_file;
use crate::connector::Result;
use crate::operator::RestoredState;
use crate::state::decode;

/// What a job starts from. Empty for an empty start.
#[derive(Debug, Default)]
pub struct Restored {
    splits: BTreeMap<(String, String), SplitState>,
    state: BTreeMap<String, RestoredState>,
}

impl Restored {
    pub fn split(&self, source: &str, split: &str) -> Option<&SplitState> {
        self.splits.get(&(source.to_string(), split.to_string()))
    }

    /// The splits of a source that a checkpoint has positions of.
    pub fn splits<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a SplitState> {
        self.splits.values().filter(move |split| split.source == source)
    }

    /// Whether the checkpoint is of a job that read this source.
    pub fn has_source(&self, source: &str) -> bool {
        self.splits(source).next().is_some()
    }

    /// What the operator's threads in this process may own.
    pub fn state(&self, operator: &str) -> Option<&RestoredState> {
        self.state.get(operator)
    }
}

/// What a plan has places for.
pub struct Places {
    /// Sources by uid.
    pub sources: BTreeSet<String>,
    /// Layouts of stateful operators, by uid.
    pub layouts: BTreeMap<String, String>,
    pub allow_non_restored_state: bool,
}

/// Loads the state files of the manifest at `path` that `owned` key groups have rows in.
pub async fn restore(
    store: &Arc<dyn ObjectStore>,
    path: &str,
    manifest: Manifest,
    places: &Places,
    owned: KeyGroupRange,
) -> Result<Restored> {
    check(&manifest, places).map_err(|refusal| refused(path, &refusal))?;
    let mut restored = Restored::default();
    for operator in manifest.operators.iter().filter(|state| places.layouts.contains_key(&state.operator)) {
        let state = restored.state.entry(operator.operator.clone()).or_default();
        state.add([], operator.watermark_ms);
        for file in operator.files.iter().filter(|file| file.key_groups.overlaps(&owned)) {
            let bytes = read_file(store, file).await?;
            let damaged = |error: ArrowError| refused(&file.path, &Refusal::Damaged(error.to_string()));
            state.rows.extend(decode(&bytes).map_err(damaged)?);
        }
    }
    for split in manifest.splits {
        restored.splits.insert((split.source.clone(), split.split.clone()), split);
    }
    Ok(restored)
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the snapshot divides keys by hash version {0}, which this release does not know")]
    HashVersion(u32),
    #[error("the state of `{operator}` was taken as [{found}], but the plan needs [{expected}]")]
    Layout { operator: String, found: String, expected: String },
    #[error("the snapshot holds state of `{0}`, which the plan does not have")]
    Orphan(String),
    #[error("the file cannot be read: {0}")]
    Damaged(String),
}

fn check(manifest: &Manifest, places: &Places) -> std::result::Result<(), Refusal> {
    if manifest.hash_version != HASH_VERSION {
        return Err(Refusal::HashVersion(manifest.hash_version));
    }
    for state in &manifest.operators {
        match places.layouts.get(&state.operator) {
            Some(expected) if *expected == state.layout => {}
            Some(expected) => {
                return Err(Refusal::Layout {
                    operator: state.operator.clone(),
                    found: state.layout.clone(),
                    expected: expected.clone(),
                });
            }
            None if places.allow_non_restored_state => {}
            None => return Err(Refusal::Orphan(state.operator.clone())),
        }
    }
    let orphan = manifest.splits.iter().find(|split| !places.sources.contains(&split.source));
    match orphan {
        Some(split) if !places.allow_non_restored_state => Err(Refusal::Orphan(split.source.clone())),
        Some(_) | None => Ok(()),
    }
}

fn refused(path: &str, refusal: &Refusal) -> Problem {
    let remedy = match refusal {
        Refusal::HashVersion(_) => "run the release that took the snapshot",
        Refusal::Layout { .. } => {
            "change the SQL so that keys and aggregates stay the same, or start empty with spec.restore"
        }
        Refusal::Orphan(_) => "set spec.restore.allowNonRestoredState to drop that state",
        Refusal::Damaged(_) => "restore from an older snapshot with spec.restore",
    };
    Problem {
        kind: ProblemKind::StateUnreadable,
        object: path.to_string(),
        message: refusal.to_string(),
        remedy: remedy.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::job::ApplicationId;
    use tidemill_model::snapshot::{MANIFEST_FORMAT, OperatorState};
    use tidemill_model::{CheckpointId, Epoch, Incarnation};

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: MANIFEST_FORMAT,
            application: ApplicationId { namespace: "n".into(), name: "a".into(), uid: "u".into() },
            version: "v".into(),
            incarnation: Incarnation(1),
            checkpoint: CheckpointId(1),
            epoch: Epoch(1),
            parallelism: 1,
            hash_version: HASH_VERSION,
            created_at_ms: 0,
            operators: vec![OperatorState {
                operator: "count".into(),
                layout: "old".into(),
                files: vec![],
                watermark_ms: None,
            }],
            splits: vec![],
            committables: vec![],
        }
    }

    fn places(operator: &str, layout: &str, allow_non_restored_state: bool) -> Places {
        Places {
            sources: BTreeSet::new(),
            layouts: [(operator.to_string(), layout.to_string())].into(),
            allow_non_restored_state,
        }
    }

    #[test]
    fn state_of_the_same_layout_is_taken_back() {
        assert_eq!(check(&manifest(), &places("count", "old", false)), Ok(()));
    }

    #[test]
    fn state_of_another_layout_is_refused_even_if_state_may_be_dropped() {
        let refusal = check(&manifest(), &places("count", "new", true)).unwrap_err();
        assert!(matches!(refusal, Refusal::Layout { .. }), "{refusal}");
    }

    #[test]
    fn state_without_a_place_is_dropped_only_if_the_user_says_so() {
        assert_eq!(check(&manifest(), &places("sum", "old", false)), Err(Refusal::Orphan("count".into())));
        assert_eq!(check(&manifest(), &places("sum", "old", true)), Ok(()));
    }
}
