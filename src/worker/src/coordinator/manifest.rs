//! Puts the workers' parts of a checkpoint together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tidemill_model::Epoch;
use tidemill_model::key_groups::HASH_VERSION;
use tidemill_model::snapshot::{MANIFEST_FORMAT, Manifest, OperatorState};

use super::state::{Checkpoint, Run};

/// The manifest of a complete checkpoint. Its content does not depend on the order in which workers reported.
pub(super) fn merge(run: &Run, checkpoint: &Checkpoint, now: u64) -> Manifest {
    let captures = checkpoint.captures.values();
    let mut splits: Vec<_> = captures.clone().flat_map(|capture| capture.splits.clone()).collect();
    splits.sort_by(|a, b| (&a.source, &a.split).cmp(&(&b.source, &b.split)));
    let mut committables: Vec<_> = captures.flat_map(|capture| capture.committables.clone()).collect();
    committables.sort_by(|a, b| (&a.sink, a.slot).cmp(&(&b.sink, b.slot)));
    Manifest {
        format: MANIFEST_FORMAT,
        application: run.spec.application.clone(),
        version: run.spec.version.clone(),
        incarnation: run.incarnation(),
        checkpoint: checkpoint.id,
        epoch: checkpoint.epoch.unwrap_or(Epoch(0)),
        parallelism: run.spec.parallelism() as u32,
        hash_version: HASH_VERSION,
        created_at_ms: now,
        operators: operators(checkpoint),
        splits,
        committables,
    }
}

fn operators(checkpoint: &Checkpoint) -> Vec<OperatorState> {
    let mut merged: BTreeMap<(String, String), OperatorState> = BTreeMap::new();
    for part in checkpoint.captures.values().flat_map(|capture| &capture.operators) {
        match merged.entry((part.operator.clone(), part.layout.clone())) {
            Entry::Occupied(mut whole) => whole.get_mut().add(part.clone()),
            Entry::Vacant(place) => {
                place.insert(part.clone());
            }
        }
    }
    merged.into_values().collect()
}
