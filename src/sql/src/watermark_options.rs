//! The options of a table that its watermark goes by, Flink's `scan.watermark.*`. They are not the connector's.

use std::collections::BTreeMap;

use sqlparser::tokenizer::Span;
use tidemill_plan::{Alignment, Watermark};

use crate::error::{Result, SqlError};
use crate::settings::duration_ms;

const PREFIX: &str = "scan.watermark.";
/// Flink's default of how often aligned sources hear of each other.
const UPDATE_INTERVAL_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct WatermarkOptions {
    pub idle_timeout_ms: Option<u64>,
    pub alignment: Option<Alignment>,
    pub max_future_ms: Option<u64>,
}

impl WatermarkOptions {
    /// Takes them out of a table's options.
    pub fn take(options: &mut BTreeMap<String, String>, span: Span) -> Result<Self> {
        // What sorts from the prefix on, and before what its next character makes of it, begins with it.
        let mut own = options.split_off(PREFIX);
        let mut others = own.split_off("scan.watermark/");
        options.append(&mut others);
        let mut take = |key: &str| own.remove(&format!("{PREFIX}{key}"));
        let duration = |text: Option<String>| text.map(|text| duration_ms(&text, span)).transpose();
        let alignment = [take("alignment.group"), take("alignment.max-drift"), take("alignment.update-interval")];
        let found = Self {
            idle_timeout_ms: duration(take("idle-timeout"))?.filter(|timeout| *timeout > 0),
            alignment: alignment_of(alignment, span)?,
            max_future_ms: duration(take("max-future"))?,
        };
        check_strategy(take("emit.strategy"), span)?;
        match own.into_keys().next() {
            Some(key) => Err(SqlError::new(span, format!("the option '{key}' is not supported"), "leave it out")),
            None => Ok(found),
        }
    }

    /// Sets what a hint says in the place of the table's own.
    pub fn apply(self, watermark: &mut Watermark) {
        watermark.idle_timeout_ms = self.idle_timeout_ms.or(watermark.idle_timeout_ms);
        watermark.alignment = self.alignment.or_else(|| watermark.alignment.take());
        watermark.max_future_ms = self.max_future_ms.or(watermark.max_future_ms);
    }
}

fn alignment_of([group, max_drift, update_interval]: [Option<String>; 3], span: Span) -> Result<Option<Alignment>> {
    let wrong = |message: &str| {
        let remedy = "set 'scan.watermark.alignment.group' and 'scan.watermark.alignment.max-drift', or neither";
        SqlError::new(span, message.to_string(), remedy)
    };
    let (group, max_drift) = match (group, max_drift) {
        (Some(group), Some(max_drift)) if !group.trim().is_empty() => (group, max_drift),
        (None, None) if update_interval.is_none() => return Ok(None),
        (None, None) => return Err(wrong("an update interval without a group aligns nothing")),
        (Some(_), Some(_)) => return Err(wrong("the alignment group has no name")),
        (Some(_), None) => return Err(wrong("an alignment group needs a greatest drift")),
        (None, Some(_)) => return Err(wrong("a greatest drift needs an alignment group")),
    };
    let update_interval_ms = update_interval.map_or(Ok(UPDATE_INTERVAL_MS), |text| duration_ms(&text, span))?;
    Ok(Some(Alignment { group, max_drift_ms: duration_ms(&max_drift, span)?, update_interval_ms }))
}

/// Watermarks are told at the ends of epochs, ten times a second, which is Flink's way by default.
fn check_strategy(strategy: Option<String>, span: Span) -> Result<()> {
    match strategy.as_deref() {
        None => Ok(()),
        Some(strategy) if strategy.eq_ignore_ascii_case("on-periodic") => Ok(()),
        Some(strategy) => Err(SqlError::new(
            span,
            format!("'scan.watermark.emit.strategy' can only be 'on-periodic', not '{strategy}'"),
            "leave it out: watermarks are told every 100 ms",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(options: &[(&str, &str)]) -> std::result::Result<(WatermarkOptions, Vec<String>), String> {
        let mut options = options.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let found = WatermarkOptions::take(&mut options, Span::empty()).map_err(|error| error.to_string())?;
        Ok((found, options.into_keys().collect()))
    }

    #[test]
    fn the_options_of_watermarks_are_taken_and_the_connector_s_left() {
        let (found, left) = taken(&[
            ("scan.startup.mode", "latest-offset"),
            ("scan.watermark.alignment.group", "g"),
            ("scan.watermark.alignment.max-drift", "1 min"),
            ("scan.watermark.emit.strategy", "on-periodic"),
            ("scan.watermark.idle-timeout", "5 s"),
            ("scan.watermark.max-future", "1 d"),
            ("topic", "t"),
        ])
        .unwrap();
        let alignment = Alignment { group: "g".to_string(), max_drift_ms: 60_000, update_interval_ms: 1_000 };
        let expected = WatermarkOptions {
            idle_timeout_ms: Some(5_000),
            alignment: Some(alignment),
            max_future_ms: Some(86_400_000),
        };
        assert_eq!((found, left), (expected, vec!["scan.startup.mode".to_string(), "topic".to_string()]));
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let check = |options: &[(&str, &str)], message: &str| {
            let refusal = taken(options).unwrap_err();
            assert!(refusal.contains(message), "{refusal}");
        };
        check(&[("scan.watermark.alignment.group", "g")], "needs a greatest drift");
        check(&[("scan.watermark.alignment.max-drift", "5 s")], "needs an alignment group");
        check(&[("scan.watermark.alignment.update-interval", "5 s")], "aligns nothing");
        check(&[("scan.watermark.emit.strategy", "on-event")], "can only be 'on-periodic'");
        check(&[("scan.watermark.emit.on-event.gap", "2")], "'scan.watermark.emit.on-event.gap' is not supported");
    }
}
