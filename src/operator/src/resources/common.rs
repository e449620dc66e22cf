//! What the resources share: references, instants and kstatus conditions.

use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An object of the same namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LocalRef {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// An instant, to the second, as Kubernetes writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Timestamp);

impl Moment {
    pub fn new(at: Timestamp) -> Self {
        Self(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }

    pub fn from_millis(millis: u64) -> Self {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        Self::new(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
    }

    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Whole seconds from this instant to `later`; negative if it is in fact earlier.
    pub fn seconds_until(self, later: Timestamp) -> i64 {
        later.as_second() - self.0.as_second()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// One aspect of an object's state, in the form that `kubectl wait --for=condition=` and kstatus read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, such as `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    pub status: ConditionStatus,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people, with the remedy where there is one.
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Moment,
    /// The generation of the spec that this was said about.
    #[serde(default)]
    pub observed_generation: i64,
}

/// Puts a condition into a list. Its time stays unless its status flips, so that repeating oneself changes nothing.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|existing| existing.type_ == condition.type_) {
        Some(existing) => {
            if existing.status == condition.status {
                condition.last_transition_time = existing.last_transition_time;
            }
            *existing = condition;
        }
        None => conditions.push(condition),
    }
}

/// Whether two lists differ in anything but times.
pub fn conditions_changed(before: &[Condition], after: &[Condition]) -> bool {
    let same = |a: &Condition, b: &Condition| {
        (&a.type_, a.status, &a.reason, &a.message, a.observed_generation)
            == (&b.type_, b.status, &b.reason, &b.message, b.observed_generation)
    };
    before.len() != after.len() || before.iter().zip(after).any(|(a, b)| !same(a, b))
}
