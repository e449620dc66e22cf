//! When a folder is complete, and is told to be so by a file in it: Flink's "partition commit". Pure.
//!
//! Each slot keeps a note beside the table's files, `_tidemill/<application>-<operator>/<slot>.json`: how far its event time
//! has come with the rows that are visible, and the folders that have had rows and are not complete yet. Whoever has
//! written its own note reads all of them. So a folder is complete when the slowest slot is past it, and the last slot
//! to get there is the one that tells, whichever that is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_engine::element::Watermark;
use tidemill_plan::functions::parse_timestamp;

use super::partitions::Partitioning;

/// What a table says of its folders' completeness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub trigger: Trigger,
    pub delay_ms: i64,
    /// The name of the file that tells.
    pub file: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// So long after the folder's first row, by the machine's clock.
    ProcessTime,
    /// When the watermark has passed the time that the folder's name tells, in which `$key` stands for a key's value; by
    /// default it is the first key's value.
    PartitionTime { pattern: Option<String> },
}

/// What a slot knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub reached: Reached,
    /// Folders that are not complete, and when each had its first row, milliseconds since 1970.
    pub open: BTreeMap<String, i64>,
}

/// How far event time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reached {
    /// Nothing has been heard of it.
    #[default]
    Nothing,
    At(i64),
    /// No rows come here, and others need not wait for it.
    Idle,
}

impl From<Watermark> for Reached {
    fn from(watermark: Watermark) -> Self {
        match watermark {
            Watermark::At(time) => Self::At(time),
            Watermark::Idle => Self::Idle,
        }
    }
}

impl Note {
    /// Takes in what has happened since. A folder is as old as its first row.
    pub fn absorb(&mut self, newer: Note) {
        self.reached = match newer.reached {
            Reached::Nothing => self.reached,
            reached => reached,
        };
        for (folder, since) in newer.open {
            let known = self.open.entry(folder).or_insert(since);
            *known = since.min(*known);
        }
    }
}

/// The least of what the slots have reached; those that are idle do not count unless all are. None while one is unknown.
pub fn reached<'a>(slots: impl IntoIterator<Item = Option<&'a Note>>) -> Option<i64> {
    let mut least = None;
    for slot in slots {
        match slot?.reached {
            Reached::Nothing => return None,
            Reached::Idle => {}
            Reached::At(time) => least = Some(least.map_or(time, |least: i64| least.min(time))),
        }
    }
    least
}

impl Completion {
    /// Whether a folder is complete. `reached` is what the slowest slot has reached.
    pub fn is_complete(
        &self,
        folder: &str,
        since_ms: i64,
        partitioning: &Partitioning,
        reached: Option<i64>,
        now_ms: i64,
    ) -> Result<bool, String> {
        Ok(match &self.trigger {
            Trigger::ProcessTime => self.delay_ms == 0 || now_ms > since_ms.saturating_add(self.delay_ms),
            Trigger::PartitionTime { pattern } => {
                let time = time_of(folder, partitioning, pattern.as_deref())?;
                reached.is_some_and(|reached| reached > time.saturating_add(self.delay_ms))
            }
        })
    }
}

/// The time that a folder's name tells.
fn time_of(folder: &str, partitioning: &Partitioning, pattern: Option<&str>) -> Result<i64, String> {
    let values = partitioning.named_values(folder);
    let text = match pattern {
        None => values.first().map(|(_, value)| value.clone()).unwrap_or_default(),
        Some(pattern) => {
            let mut values = values;
            // `$day_part` is not `$day` and a rest.
            values.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
            values.iter().fold(pattern.to_string(), |text, (key, value)| text.replace(&format!("${key}"), value))
        }
    };
    parse_timestamp(&text).ok_or_else(|| format!("the folder `{folder}` tells the time `{text}`, which is none"))
}

#[cfg(test)]
mod tests {
    use tidemill_plan::Table;

    use super::*;

    fn partitioning() -> Partitioning {
        let partition_keys = vec!["dt".to_string(), "hm".to_string()];
        Partitioning::new(&Table { partition_keys, ..Table::default() }, "none".to_string())
    }

    fn completion(trigger: Trigger, delay_ms: i64) -> Completion {
        Completion { trigger, delay_ms, file: "_SUCCESS".to_string() }
    }

    fn by_time(pattern: &str) -> Trigger {
        Trigger::PartitionTime { pattern: Some(pattern.to_string()) }
    }

    #[test]
    fn a_folder_is_complete_when_the_watermark_is_past_its_time_and_the_delay() {
        let minute = completion(by_time("$dt $hm:00"), 60_000);
        let is_complete =
            |reached| minute.is_complete("dt=1970-01-01/hm=00%3A02", 0, &partitioning(), reached, 0).unwrap();
        assert!(!is_complete(None));
        assert!(!is_complete(Some(180_000)));
        assert!(is_complete(Some(180_001)));
        assert!(is_complete(Some(i64::MAX)));
    }

    #[test]
    fn the_first_key_tells_the_time_unless_a_pattern_says_more() {
        let day = completion(Trigger::PartitionTime { pattern: None }, 0);
        let is_complete = |folder, reached| day.is_complete(folder, 0, &partitioning(), Some(reached), 0);
        assert_eq!(is_complete("dt=1970-01-02/hm=x", 86_400_000), Ok(false));
        assert_eq!(is_complete("dt=1970-01-02/hm=x", 86_400_001), Ok(true));
        assert!(is_complete("dt=none/hm=x", 1).unwrap_err().contains("tells the time `none`"));
    }

    #[test]
    fn by_the_machine_s_clock_a_folder_is_complete_some_time_after_its_first_row() {
        let is_complete = |delay_ms, now_ms| {
            completion(Trigger::ProcessTime, delay_ms).is_complete("x", 100, &partitioning(), None, now_ms).unwrap()
        };
        assert!(is_complete(0, 100));
        assert!(!is_complete(50, 150));
        assert!(is_complete(50, 151));
    }

    #[test]
    fn the_slowest_slot_counts_and_idle_ones_do_not() {
        let note = |reached| Note { reached, ..Note::default() };
        let (five, nine, idle, nothing) =
            (note(Reached::At(5)), note(Reached::At(9)), note(Reached::Idle), note(Reached::Nothing));
        assert_eq!(reached([Some(&nine), Some(&five)]), Some(5));
        assert_eq!(reached([Some(&nine), Some(&idle)]), Some(9));
        assert_eq!(reached([Some(&idle)]), None);
        assert_eq!(reached([Some(&nine), Some(&nothing)]), None);
        assert_eq!(reached([Some(&nine), None]), None, "a slot that has not written yet");
    }

    #[test]
    fn a_note_goes_on_from_the_former_one() {
        let open = |folders: &[(&str, i64)]| folders.iter().map(|(name, since)| (name.to_string(), *since)).collect();
        let mut note = Note { reached: Reached::At(3), open: open(&[("a", 10)]) };
        note.absorb(Note { reached: Reached::Nothing, open: open(&[("a", 20), ("b", 20)]) });
        assert_eq!(note, Note { reached: Reached::At(3), open: open(&[("a", 10), ("b", 20)]) });
        note.absorb(Note { reached: Reached::Idle, open: open(&[]) });
        assert_eq!(note.reached, Reached::Idle);
    }
}
