//! The settings `table.exec.emit.*`: when windows of GROUP BY are put out before their end and after it. What they mean
//! together, and what of it is wrong, is Flink's.

use sqlparser::tokenizer::Span;
use tidemill_plan::{Clock, Firing, LateFiring, Window};

use crate::error::{Result, SqlError};
use crate::settings::duration_ms;
use crate::statement::Set;

/// The settings as they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FiringSettings {
    early: Delay,
    late: Delay,
    lateness_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Delay {
    enabled: bool,
    ms: Option<u64>,
}

/// Which of the settings it is.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    Early,
    EarlyDelay,
    Late,
    LateDelay,
    Lateness,
}

impl FiringSettings {
    pub(crate) fn apply(&mut self, which: Which, set: &Set) -> Result<()> {
        match which {
            Which::Early => self.early.enabled = boolean(set)?,
            Which::Late => self.late.enabled = boolean(set)?,
            Which::EarlyDelay => self.early.ms = Some(duration_ms(&set.value, set.span)?),
            Which::LateDelay => self.late.ms = Some(duration_ms(&set.value, set.span)?),
            Which::Lateness => self.lateness_ms = Some(duration_ms(&set.value, set.span)?),
        }
        Ok(())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.early.enabled || self.late.enabled
    }

    /// How the windows that GROUP BY makes at `span` are put out. Without a setting of their own, windows take late rows
    /// for as long as other state is kept.
    pub(crate) fn of(
        &self,
        window: Window,
        clock: Clock,
        state_ttl_ms: Option<u64>,
        span: Span,
    ) -> Result<Option<Firing>> {
        if !self.is_on() {
            return Ok(None);
        }
        if matches!(window, Window::Session { .. }) {
            let message = "sessions cannot be put out more than once, as table.exec.emit.* asks for";
            return Err(SqlError::new(span, message, "use TUMBLE or HOP, or leave the settings out"));
        }
        let early_ms = self.early.of("early-fire", span)?;
        let late = match self.late.of("late-fire", span)? {
            Some(delay_ms) if clock == Clock::Event => {
                Some(late(delay_ms, self.lateness_ms.or(state_ttl_ms).unwrap_or(0), span)?)
            }
            // By the machine's clock nothing is late.
            Some(_) | None => None,
        };
        Ok((early_ms.is_some() || late.is_some()).then_some(Firing { early_ms, late }))
    }
}

impl Delay {
    fn of(self, name: &str, span: Span) -> Result<Option<u64>> {
        match self {
            Self { enabled: false, .. } => Ok(None),
            Self { enabled: true, ms: Some(delay) } => Ok(Some(delay)),
            Self { enabled: true, ms: None } => {
                let message = format!("'table.exec.emit.{name}.enabled' is set without a delay");
                Err(SqlError::new(span, message, format!("SET 'table.exec.emit.{name}.delay' = '0 s', or longer")))
            }
        }
    }
}

fn late(delay_ms: u64, lateness_ms: u64, span: Span) -> Result<LateFiring> {
    let remedy = "SET 'table.exec.emit.allow-lateness' to how late rows may come, such as '1 min'";
    if lateness_ms == 0 {
        let message = "'table.exec.emit.late-fire.enabled' is set, but no row may come late";
        return Err(SqlError::new(span, message, remedy));
    }
    if delay_ms > lateness_ms {
        let message = "'table.exec.emit.late-fire.delay' is longer than 'table.exec.emit.allow-lateness'";
        return Err(SqlError::new(span, message, remedy));
    }
    Ok(LateFiring { delay_ms, lateness_ms })
}

fn boolean(set: &Set) -> Result<bool> {
    match set.value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SqlError::new(set.span, format!("'{}' can be true or false", set.key), "choose one of the two")),
    }
}
