//! Counters that engine threads keep and the process reports. A thread writes its own part, a few times a second.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_model::Epoch;
use tidemill_model::control::EngineProgress;
use tidemill_model::status::{Problem, SinkStatus, SourceStatus};

use crate::connector::{SinkStats, SourceStats};

/// The counters of all threads of this process.
#[derive(Debug)]
pub struct Board {
    threads: Vec<Mutex<ThreadProgress>>,
}

/// One thread's counters, one entry per source and per sink of the plan, in plan order.
#[derive(Debug, Default)]
pub struct ThreadProgress {
    pub epoch: u64,
    pub sources: Vec<SourceProgress>,
    pub sinks: Vec<SinkProgress>,
    /// Rows that came too late, by stage and operator.
    pub late_rows: Vec<Vec<(String, u64)>>,
    pub state_bytes: Vec<u64>,
    pub back_pressured_ms: u64,
    pub first_record_at_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub struct SourceProgress {
    pub table: String,
    pub stats: SourceStats,
    pub watermark_ms: Option<i64>,
    pub finished: bool,
}

#[derive(Debug, Default)]
pub struct SinkProgress {
    pub table: String,
    pub stats: SinkStats,
}

impl Board {
    pub fn new(threads: usize, sources: &[String], sinks: &[String], stages: usize) -> Self {
        let thread = || {
            Mutex::new(ThreadProgress {
                sources: sources
                    .iter()
                    .map(|table| SourceProgress { table: table.clone(), ..SourceProgress::default() })
                    .collect(),
                sinks: sinks
                    .iter()
                    .map(|table| SinkProgress { table: table.clone(), ..SinkProgress::default() })
                    .collect(),
                late_rows: vec![Vec::new(); stages],
                state_bytes: vec![0; stages],
                ..ThreadProgress::default()
            })
        };
        Self { threads: (0..threads).map(|_| thread()).collect() }
    }

    /// A thread's own counters. A thread that panicked leaves them as they were.
    pub fn thread(&self, thread: usize) -> MutexGuard<'_, ThreadProgress> {
        self.threads[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every source of every thread has been read to its end.
    pub fn finished(&self) -> bool {
        (0..self.threads.len()).all(|thread| {
            let progress = self.thread(thread);
            !progress.sources.is_empty() && progress.sources.iter().all(|source| source.finished)
        })
    }

    /// Everything added up.
    pub fn sum(&self) -> EngineProgress {
        let mut sum = EngineProgress::default();
        for thread in 0..self.threads.len() {
            let progress = self.thread(thread);
            sum.epoch = sum.epoch.max(Epoch(progress.epoch));
            sum.state_bytes += progress.state_bytes.iter().sum::<u64>();
            sum.back_pressured_ms = sum.back_pressured_ms.max(progress.back_pressured_ms);
            sum.first_record_at_ms = match (sum.first_record_at_ms, progress.first_record_at_ms) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            for (place, source) in progress.sources.iter().enumerate() {
                if thread == 0 {
                    sum.sources.push(SourceStatus {
                        table: source.table.clone(),
                        finished: true,
                        ..Default::default()
                    });
                }
                add_source(&mut sum.sources[place], source);
                add_problem(&mut sum.problems, source.stats.problem.as_ref());
            }
            for (place, sink) in progress.sinks.iter().enumerate() {
                if thread == 0 {
                    sum.sinks.push(SinkStatus { table: sink.table.clone(), ..Default::default() });
                }
                sum.sinks[place].records += sink.stats.records;
                sum.sinks[place].bytes += sink.stats.bytes;
                add_problem(&mut sum.problems, sink.stats.problem.as_ref());
            }
            for (operator, rows) in progress.late_rows.iter().flatten() {
                *sum.late.entry(operator.clone()).or_default() += rows;
            }
        }
        sum
    }
}

fn add_source(sum: &mut SourceStatus, source: &SourceProgress) {
    sum.records += source.stats.records;
    sum.bytes += source.stats.bytes;
    sum.undecodable += source.stats.undecodable;
    sum.lag_records = match (sum.lag_records, source.stats.lag_records) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    sum.millis_behind_latest = sum.millis_behind_latest.max(source.stats.millis_behind_latest);
    sum.watermark_ms = match (sum.watermark_ms, source.watermark_ms) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    sum.finished &= source.finished;
}

fn add_problem(problems: &mut Vec<Problem>, problem: Option<&Problem>) {
    if let Some(problem) = problem
        && !problems.iter().any(|known| known.kind == problem.kind && known.object == problem.object)
    {
        problems.push(problem.clone());
    }
}
