//! Where each partition starts and ends: decided from positions, options and the broker's answers.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tidemill_engine::connector::{AssignedSplit, Result};
use tidemill_model::status::{Problem, ProblemKind};

use super::client::{Context, OPEN_TIMEOUT, create, retry};
use super::config::group_client;
use super::options::{KafkaOptions, Reset, Startup};
use super::trouble::Trouble;

/// A partition with its next offset, and the offset to stop at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub partition: i32,
    pub next: i64,
    pub end: Option<i64>,
    /// The high watermark when it was asked; none if it was not.
    pub high: Option<i64>,
}

/// A split's position: the next offset, and the end that a bounded table was given at its first start.
pub fn position(next: i64, end: Option<i64>) -> Value {
    match end {
        Some(end) => json!({ "offset": next, "end": end }),
        None => json!({ "offset": next }),
    }
}

pub fn read_position(table: &str, value: &Value) -> Result<(i64, Option<i64>)> {
    let next = value["offset"].as_i64().filter(|offset| *offset >= 0);
    next.map(|next| (next, value["end"].as_i64())).ok_or_else(|| Problem {
        kind: ProblemKind::StateUnreadable,
        object: table.to_string(),
        message: format!("the position `{value}` is none of a Kafka partition"),
        remedy: "restore from a snapshot of this table, or start empty".into(),
    })
}

/// What is known of a partition when a first start is decided.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub low: i64,
    pub high: i64,
    pub committed: Option<i64>,
    /// The first offset of the wanted time; none if there is no record as late.
    pub at_time: Option<i64>,
}

/// The first offset of a partition that has no position yet.
pub fn first_offset(startup: Startup, reset: Reset, known: Known) -> std::result::Result<i64, &'static str> {
    match (startup, reset, known.committed) {
        (Startup::Earliest, ..) => Ok(known.low),
        (Startup::Latest, ..) => Ok(known.high),
        (Startup::Timestamp(_), ..) => Ok(known.at_time.unwrap_or(known.high)),
        (Startup::Group, _, Some(offset)) => Ok(offset),
        (Startup::Group, Reset::Unset | Reset::Earliest, None) => Ok(known.low),
        (Startup::Group, Reset::Latest, None) => Ok(known.high),
        (Startup::Group, Reset::Fail, None) => Err("the group has no offset, and `auto.offset.reset` is `none`"),
    }
}

/// Asks a broker what the splits' ranges need.
pub struct Offsets<'a> {
    pub table: &'a str,
    pub application: &'a str,
    pub options: &'a KafkaOptions,
    pub client: &'a BaseConsumer<Context>,
    pub trouble: &'a Trouble,
}

impl Offsets<'_> {
    /// The ranges of the splits, in their order.
    pub fn ranges(&self, splits: &[AssignedSplit]) -> Result<Vec<Range>> {
        let fresh = || splits.iter().filter(|split| split.position.is_none()).map(|split| split.number as i32);
        let at_time = match self.options.startup {
            Startup::Timestamp(time) if fresh().next().is_some() => self.at_time(fresh(), time)?,
            _ => TopicPartitionList::new(),
        };
        let committed = match self.options.startup {
            Startup::Group if fresh().next().is_some() => self.committed(fresh())?,
            _ => TopicPartitionList::new(),
        };
        splits.iter().map(|split| self.range(split, &at_time, &committed)).collect()
    }

    fn range(
        &self,
        split: &AssignedSplit,
        at_time: &TopicPartitionList,
        committed: &TopicPartitionList,
    ) -> Result<Range> {
        let partition = split.number as i32;
        let kept = split.position.as_ref().map(|position| read_position(self.table, position)).transpose()?;
        let (low, high) = match kept {
            // A position with all that is needed asks nothing: a restore must not wait for a broker to list offsets.
            Some((next, end)) if end.is_some() || !self.options.bounded => {
                let end = end.filter(|_| self.options.bounded);
                return Ok(Range { partition, next, end, high: None });
            }
            _ => self.watermarks(partition)?,
        };
        let next = match kept {
            Some((next, _)) => next,
            None => {
                let known = Known {
                    low,
                    high,
                    committed: self.offset(committed, partition),
                    at_time: self.offset(at_time, partition),
                };
                first_offset(self.options.startup, self.options.reset, known).map_err(|reason| {
                    self.trouble.problem_of(format!("partition {partition} of `{}`: {reason}", self.options.topic))
                })?
            }
        };
        Ok(Range { partition, next, end: self.options.bounded.then_some(high), high: Some(high) })
    }

    fn watermarks(&self, partition: i32) -> Result<(i64, i64)> {
        let what = format!("ask for the offsets of partition {partition} of `{}`", self.options.topic);
        retry(self.trouble, &what, OPEN_TIMEOUT, |timeout| {
            self.client.fetch_watermarks(&self.options.topic, partition, timeout).map_err(|error| error.to_string())
        })
    }

    fn list(&self, partitions: impl Iterator<Item = i32>, offset: Offset) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.options.topic, partition, offset)
                .map_err(|error| self.trouble.problem_of(format!("failed to ask for offsets: {error}")))?;
        }
        Ok(list)
    }

    fn at_time(&self, partitions: impl Iterator<Item = i32>, time: i64) -> Result<TopicPartitionList> {
        let list = self.list(partitions, Offset::Offset(time))?;
        retry(self.trouble, "ask for the offsets of the starting time", OPEN_TIMEOUT, |timeout| {
            self.client.offsets_for_times(list.clone(), timeout).map_err(|error| error.to_string())
        })
    }

    fn committed(&self, partitions: impl Iterator<Item = i32>) -> Result<TopicPartitionList> {
        let Some(group) = &self.options.group else { return Ok(TopicPartitionList::new()) };
        let client: BaseConsumer<Context> = create(&group_client(self.options, self.application, group), self.trouble)?;
        let list = self.list(partitions, Offset::Invalid)?;
        retry(
            self.trouble,
            &format!("ask for the offsets of the group `{group}`"),
            OPEN_TIMEOUT,
            |timeout: Duration| client.committed_offsets(list.clone(), timeout).map_err(|error| error.to_string()),
        )
    }

    fn offset(&self, list: &TopicPartitionList, partition: i32) -> Option<i64> {
        match list.find_partition(&self.options.topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { low: 5, high: 90, committed: None, at_time: None };

    #[test]
    fn a_first_start_begins_where_the_mode_says() {
        let first = |startup, reset, known| first_offset(startup, reset, known);
        assert_eq!(first(Startup::Earliest, Reset::Latest, KNOWN), Ok(5));
        assert_eq!(first(Startup::Latest, Reset::Unset, KNOWN), Ok(90));
        assert_eq!(first(Startup::Timestamp(1), Reset::Unset, Known { at_time: Some(7), ..KNOWN }), Ok(7));
        assert_eq!(first(Startup::Timestamp(1), Reset::Unset, KNOWN), Ok(90));
    }

    #[test]
    fn a_group_without_offsets_follows_the_reset_policy() {
        let first = |reset, committed| first_offset(Startup::Group, reset, Known { committed, ..KNOWN });
        assert_eq!(first(Reset::Fail, Some(42)), Ok(42));
        assert_eq!(first(Reset::Unset, None), Ok(5));
        assert_eq!(first(Reset::Latest, None), Ok(90));
        assert!(first(Reset::Fail, None).is_err());
    }

    #[test]
    fn positions_come_back() {
        assert_eq!(read_position("t", &position(7, None)).unwrap(), (7, None));
        assert_eq!(read_position("t", &position(7, Some(9))).unwrap(), (7, Some(9)));
        assert_eq!(read_position("t", &json!({ "offset": -1 })).unwrap_err().kind, ProblemKind::StateUnreadable);
    }
}
