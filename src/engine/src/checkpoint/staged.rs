//! Which staged chunks belong to which checkpoint. Pure.
//!
//! A checkpoint that is given up leaves its chunks to the next one: output is dropped only when a checkpoint that has
//! it is claimed.

use std::collections::BTreeMap;

use tidemill_model::CheckpointId;
use tidemill_model::snapshot::{Committable, StateFile};

/// Chunks staged by this process and not yet committed.
#[derive(Debug, Default)]
pub struct Staged {
    slots: BTreeMap<(String, u32), Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Chunks in the order they were staged, each with the first checkpoint that it is part of; none yet for those
    /// after the last cut.
    chunks: Vec<(Option<CheckpointId>, StateFile)>,
}

impl Staged {
    pub fn add(&mut self, sink: &str, slot: u32, chunk: StateFile) {
        self.slots.entry((sink.to_string(), slot)).or_default().chunks.push((None, chunk));
    }

    /// The sink has been cut for `checkpoint`: everything staged so far is part of it.
    pub fn cut(&mut self, sink: &str, slot: u32, checkpoint: CheckpointId) {
        for (first, _) in &mut self.slots.entry((sink.to_string(), slot)).or_default().chunks {
            first.get_or_insert(checkpoint);
        }
    }

    /// What has to be committed once `checkpoint` is claimed: all that was staged up to it and not committed since.
    pub fn committables(&self, checkpoint: CheckpointId) -> Vec<Committable> {
        let mut committables = Vec::new();
        for ((sink, slot), staged) in &self.slots {
            let part_of = |first: &Option<CheckpointId>| first.is_some_and(|first| first <= checkpoint);
            let chunks: Vec<StateFile> =
                staged.chunks.iter().filter(|(first, _)| part_of(first)).map(|(_, chunk)| chunk.clone()).collect();
            if !chunks.is_empty() {
                committables.push(Committable { sink: sink.clone(), slot: *slot, chunks });
            }
        }
        committables
    }

    /// `checkpoint` is claimed; its chunks are the committers' now.
    pub fn claimed(&mut self, checkpoint: CheckpointId) {
        for staged in self.slots.values_mut() {
            staged.chunks.retain(|(first, _)| first.is_none_or(|first| first > checkpoint));
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::key_groups::KeyGroupRange;

    use super::*;

    fn chunk(path: &str) -> StateFile {
        StateFile { path: path.into(), bytes: 1, rows: 0, crc32: 0, key_groups: KeyGroupRange::ALL }
    }

    fn paths(staged: &Staged, checkpoint: u64) -> Vec<String> {
        let committables = staged.committables(CheckpointId(checkpoint));
        committables.into_iter().flat_map(|each| each.chunks).map(|chunk| chunk.path).collect()
    }

    #[test]
    fn chunks_of_a_checkpoint_given_up_are_part_of_the_next() {
        let mut staged = Staged::default();
        staged.add("sink", 0, chunk("a"));
        staged.cut("sink", 0, CheckpointId(1));
        staged.add("sink", 0, chunk("b"));
        assert_eq!(paths(&staged, 1), ["a"]);
        staged.cut("sink", 0, CheckpointId(2));
        staged.add("sink", 0, chunk("c"));
        assert_eq!(paths(&staged, 2), ["a", "b"]);
        staged.claimed(CheckpointId(2));
        staged.cut("sink", 0, CheckpointId(3));
        assert_eq!(paths(&staged, 3), ["c"]);
    }

    #[test]
    fn a_claim_leaves_what_came_after_the_cut() {
        let mut staged = Staged::default();
        staged.add("sink", 1, chunk("a"));
        staged.cut("sink", 1, CheckpointId(4));
        staged.add("sink", 1, chunk("b"));
        staged.claimed(CheckpointId(4));
        assert!(paths(&staged, 4).is_empty());
        staged.cut("sink", 1, CheckpointId(5));
        assert_eq!(paths(&staged, 5), ["b"]);
    }
}
