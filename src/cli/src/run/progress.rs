//! Figures of a run: adds up what statuses say, and puts it into a line. Pure.

use tidemill_model::status::{JobPhase, JobStatus};

/// Without a record for this long, nothing flows.
const STALE_MS: u64 = 3_000;

/// What is known of a run so far. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Records of earlier incarnations of this run, whose counters are gone.
    earlier_records: u64,
    status: JobStatus,
    first_record_at_ms: Option<u64>,
    /// When a status last showed more records.
    last_record_at_ms: u64,
    rate: f64,
    observed_at_ms: u64,
}

impl Progress {
    pub fn observe(&mut self, status: JobStatus, now_ms: u64) {
        let (before, after) = (records_of(&self.status), records_of(&status));
        if after < before {
            self.earlier_records += before;
        }
        let more = if after < before { after } else { after - before };
        self.rate = self.next_rate(more, now_ms);
        if more > 0 {
            self.last_record_at_ms = now_ms;
        }
        self.first_record_at_ms = self.first_record_at_ms.or(status.first_record_at_ms);
        self.observed_at_ms = now_ms;
        self.status = status;
    }

    /// Engines report about once a second and are asked more often, so a rate is that between two reports, smoothed.
    fn next_rate(&self, more: u64, now_ms: u64) -> f64 {
        let elapsed_ms = now_ms.saturating_sub(self.last_record_at_ms);
        match more {
            0 if elapsed_ms >= STALE_MS => 0.0,
            0 => self.rate,
            _ if self.last_record_at_ms == 0 => 0.0,
            _ => {
                let rate = more as f64 * 1000.0 / elapsed_ms.max(1) as f64;
                if self.rate == 0.0 { rate } else { 0.5 * self.rate + 0.5 * rate }
            }
        }
    }

    pub fn records(&self) -> u64 {
        self.earlier_records + records_of(&self.status)
    }

    /// Over the time from the first record to the last.
    pub fn records_per_s(&self) -> f64 {
        let Some(first) = self.first_record_at_ms else { return 0.0 };
        let elapsed_ms = self.last_record_at_ms.saturating_sub(first).max(1);
        self.records() as f64 * 1000.0 / elapsed_ms as f64
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let mut parts = vec![phase(&self.status.phase).to_string()];
        parts.push(format!("{} records", short(self.records() as f64)));
        parts.push(format!("{}/s", short(self.rate)));
        let sources = &self.status.sources;
        if let Some(lag) = sum(sources.iter().map(|source| source.lag_records)) {
            parts.push(format!("lag {}", short(lag as f64)));
        }
        if let Some(watermark) = sources.iter().filter_map(|source| source.watermark_ms).min() {
            let behind_ms = self.observed_at_ms as i64 - watermark;
            parts.push(format!("watermark {}", delay(behind_ms)));
        }
        parts.push(match &self.status.last_checkpoint {
            Some(last) => {
                format!("{} (last {} ms)", count(self.status.checkpoints_completed, "checkpoint"), last.duration_ms)
            }
            None => "no checkpoint yet".to_string(),
        });
        if self.status.restarts > 0 {
            parts.push(count(self.status.restarts, "restart"));
        }
        parts.join("  ")
    }

    /// The figures of the whole run, as one JSON object.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "records": self.records(),
            "records_per_s": self.records_per_s().round(),
            "checkpoints": self.status.checkpoints_completed,
        })
    }
}

fn records_of(status: &JobStatus) -> u64 {
    status.sources.iter().map(|source| source.records).sum()
}

fn sum(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.flatten().fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
}

pub fn phase(phase: &JobPhase) -> &'static str {
    match phase {
        JobPhase::Starting => "starting",
        JobPhase::Running => "running",
        JobPhase::Rescaling => "rescaling",
        JobPhase::Restarting => "restarting",
        JobPhase::Stopping => "stopping",
        JobPhase::Stopped { .. } => "stopped",
        JobPhase::Finished => "finished",
        JobPhase::Fenced => "fenced",
    }
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A number in at most four digits.
fn short(number: f64) -> String {
    let (scaled, unit) = match number {
        number if number >= 1e9 => (number / 1e9, " G"),
        number if number >= 1e6 => (number / 1e6, " M"),
        number if number >= 1e4 => (number / 1e3, " k"),
        number => return format!("{number:.0}"),
    };
    let decimals = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.decimals$}{unit}")
}

/// How far event time is behind the clock. Replayed or made-up data may be years away.
fn delay(behind_ms: i64) -> String {
    let (distance, side) = if behind_ms < 0 { (-behind_ms, "ahead") } else { (behind_ms, "behind") };
    let seconds = distance as f64 / 1000.0;
    let text = match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.1} s"),
        seconds if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        seconds => format!("{:.0} days", seconds / 86_400.0),
    };
    format!("{text} {side}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_model::CheckpointId;
    use tidemill_model::status::{CheckpointSummary, SourceStatus};

    fn status(records: u64) -> JobStatus {
        let source = SourceStatus {
            table: "t".into(),
            records,
            lag_records: Some(12_345),
            watermark_ms: Some(8_000),
            ..SourceStatus::default()
        };
        JobStatus {
            phase: JobPhase::Running,
            sources: vec![source],
            first_record_at_ms: Some(1_000),
            ..JobStatus::default()
        }
    }

    #[test]
    fn records_add_up_over_restarts() {
        let mut progress = Progress::default();
        for (records, now_ms) in [(100, 1_000), (300, 2_000), (50, 3_000), (60, 4_000)] {
            progress.observe(status(records), now_ms);
        }
        assert_eq!(progress.records(), 360);
        assert_eq!(progress.records_per_s(), 120.0);
    }

    #[test]
    fn the_line_shows_what_matters() {
        let mut progress = Progress::default();
        progress.observe(status(500_000), 9_000);
        progress.observe(status(500_000), 9_500);
        progress.observe(status(2_500_000), 10_500);
        assert_eq!(
            progress.line(),
            "running  2.50 M records  1.33 M/s  lag 12.3 k  watermark 2.5 s behind  no checkpoint yet"
        );
        let last = CheckpointSummary {
            id: CheckpointId(3),
            completed_at_ms: 0,
            duration_ms: 40,
            bytes: 0,
            manifest: "m".into(),
        };
        let done =
            JobStatus { last_checkpoint: Some(last), checkpoints_completed: 3, restarts: 1, ..JobStatus::default() };
        let mut progress = Progress::default();
        progress.observe(done, 1);
        assert_eq!(progress.line(), "starting  0 records  0/s  3 checkpoints (last 40 ms)  1 restart");
    }

    #[test]
    fn distances_in_time_are_told_in_fitting_units() {
        assert_eq!(delay(1_500), "1.5 s behind");
        assert_eq!(delay(-600_000), "10 min ahead");
        assert_eq!(delay(86_400_000 * 400), "400 days behind");
    }
}
