//! `SET 'key' = 'value'`: what each known setting does here. A setting that would be ignored is refused, or warned of
//! where ignoring it changes no result.

use sqlparser::tokenizer::Span;
use tidemill_plan::Zone;

use crate::bind::near;
use crate::error::{Result, SqlError};
use crate::firing::{FiringSettings, Which};
use crate::statement::Set;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// A split without records for this long does not hold the others back.
    pub idle_timeout_ms: Option<u64>,
    /// State that nothing has come for for this long is forgotten.
    pub state_ttl_ms: Option<u64>,
    pub not_null: NotNull,
    /// The session's time zone; none for UTC.
    pub zone: Option<String>,
    pub firing: FiringSettings,
}

/// What becomes of a row with NULL in a column of its table that is NOT NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NotNull {
    #[default]
    FailsTheJob,
    DropsTheRow,
}

#[derive(Clone, Copy)]
enum Meaning {
    IdleTimeout,
    StateTtl,
    NotNull,
    Zone,
    Firing(Which),
    /// Has this value, whatever is set.
    Fixed(&'static str, &'static str),
    /// Is said somewhere else.
    Elsewhere(&'static str),
    /// Changes how fast Flink runs, but no result.
    Tuning,
}

const STREAMING: &str = "bounded tables are read as streams that end";
const KNOWN: &[(&str, Meaning)] = &[
    ("table.exec.source.idle-timeout", Meaning::IdleTimeout),
    ("table.exec.emit.early-fire.enabled", Meaning::Firing(Which::Early)),
    ("table.exec.emit.early-fire.delay", Meaning::Firing(Which::EarlyDelay)),
    ("table.exec.emit.late-fire.enabled", Meaning::Firing(Which::Late)),
    ("table.exec.emit.late-fire.delay", Meaning::Firing(Which::LateDelay)),
    ("table.exec.emit.allow-lateness", Meaning::Firing(Which::Lateness)),
    ("pipeline.auto-watermark-interval", Meaning::Tuning),
    ("table.local-time-zone", Meaning::Zone),
    ("execution.runtime-mode", Meaning::Fixed("streaming", STREAMING)),
    ("table.exec.state.ttl", Meaning::StateTtl),
    ("table.exec.sink.not-null-enforcer", Meaning::NotNull),
    ("table.dml-sync", Meaning::Fixed("false", "leave it out: an application always runs by itself")),
    ("pipeline.name", Meaning::Elsewhere("name the Application by metadata.name")),
    ("parallelism.default", Meaning::Elsewhere("set spec.scaling of the Application")),
    ("pipeline.max-parallelism", Meaning::Elsewhere("leave it out: there are always 4096 key groups")),
    ("execution.checkpointing.interval", Meaning::Elsewhere("set spec.checkpoint of the Application")),
    ("execution.checkpointing.mode", Meaning::Elsewhere("leave it out: checkpoints are always exactly-once")),
    ("execution.checkpointing.timeout", Meaning::Elsewhere("set spec.checkpoint of the Application")),
    ("execution.checkpointing.min-pause", Meaning::Elsewhere("set spec.checkpoint of the Application")),
    ("execution.savepoint.path", Meaning::Elsewhere("set spec.restore of the Application")),
    ("state.backend.type", Meaning::Tuning),
    ("pipeline.object-reuse", Meaning::Tuning),
    ("table.exec.mini-batch.enabled", Meaning::Tuning),
    ("table.exec.mini-batch.allow-latency", Meaning::Tuning),
    ("table.exec.mini-batch.size", Meaning::Tuning),
    ("table.optimizer.agg-phase-strategy", Meaning::Tuning),
    ("table.optimizer.distinct-agg.split.enabled", Meaning::Tuning),
    ("table.exec.resource.default-parallelism", Meaning::Elsewhere("set spec.scaling of the Application")),
];

impl Settings {
    /// Applies a setting; says so if it changes nothing here.
    pub(crate) fn apply(&mut self, set: &Set) -> Result<Option<String>> {
        let Some((_, meaning)) = KNOWN.iter().find(|(key, _)| *key == set.key) else {
            return Err(unknown(set));
        };
        match meaning {
            Meaning::IdleTimeout => {
                self.idle_timeout_ms = Some(duration_ms(&set.value, set.span)?).filter(|timeout| *timeout > 0);
                Ok(None)
            }
            Meaning::StateTtl => {
                self.state_ttl_ms = Some(duration_ms(&set.value, set.span)?).filter(|ttl| *ttl > 0);
                Ok(None)
            }
            Meaning::NotNull => {
                self.not_null = not_null(set)?;
                Ok(None)
            }
            Meaning::Zone => {
                self.zone = zone(set)?;
                Ok(None)
            }
            Meaning::Firing(which) => self.firing.apply(*which, set).map(|()| None),
            Meaning::Fixed(value, _) if set.value.eq_ignore_ascii_case(value) => Ok(None),
            Meaning::Fixed(value, remedy) => {
                Err(SqlError::new(set.span, format!("'{}' can only be '{value}'", set.key), *remedy))
            }
            Meaning::Elsewhere(remedy) => {
                Err(SqlError::new(set.span, format!("'{}' is not set in SQL", set.key), *remedy))
            }
            Meaning::Tuning => Ok(Some(format!("'{}' has no effect: it tunes Flink's own engine", set.key))),
        }
    }
}

/// None for UTC. Names that Flink refuses, because they mean other things to other programs, are refused.
fn zone(set: &Set) -> Result<Option<String>> {
    let upper = set.value.to_ascii_uppercase();
    let is_short = upper.len() == 3 && !matches!(upper.as_str(), "UTC" | "GMT");
    let refused = is_short || upper.starts_with("UTC+") || upper.starts_with("UTC-") || upper == "DEFAULT";
    match Zone::named(&set.value).filter(|_| !refused) {
        Some(zone) => Ok((!zone.is_utc()).then(|| set.value.clone())),
        None => {
            let message = format!("'{}' is not a time zone", set.value);
            Err(SqlError::new(
                set.span,
                message,
                "write a full name such as 'America/New_York', or such as 'GMT-08:00'",
            ))
        }
    }
}

fn not_null(set: &Set) -> Result<NotNull> {
    match set.value.to_ascii_uppercase().as_str() {
        "ERROR" => Ok(NotNull::FailsTheJob),
        "DROP" => Ok(NotNull::DropsTheRow),
        _ => Err(SqlError::new(set.span, format!("'{}' can be ERROR or DROP", set.key), "choose one of the two")),
    }
}

fn unknown(set: &Set) -> SqlError {
    let near = near(&set.key, KNOWN.iter().map(|(key, _)| *key));
    let remedy = match near.first() {
        Some(key) => format!("did you mean '{key}'"),
        None => "leave it out".to_string(),
    };
    SqlError::new(set.span, format!("the setting '{}' is not known", set.key), remedy)
}

/// A duration as Flink writes it: `10 s`, `500ms`, `1 min`.
pub(crate) fn duration_ms(text: &str, span: Span) -> Result<u64> {
    let wrong =
        || SqlError::new(span, format!("'{text}' is not a duration"), "write such as '10 s', '500 ms' or '1 min'");
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_flink_writes_them() {
        let check = |text, expected| assert_eq!(duration_ms(text, Span::empty()).ok(), expected, "{text}");
        check("10 s", Some(10_000));
        check("500ms", Some(500));
        check("1 min", Some(60_000));
        check("0", Some(0));
        check("ten s", None);
        check("", None);
    }
}
