//! Splits that appear while a table is read: a helper thread asks the source again and again, and engine threads take what
//! it has found when they leave an epoch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_model::status::Problem;

use crate::connector::{Result, Source, Split};
use crate::operator::internal;
use crate::run::Job;

/// What has been found of one source since the start.
#[derive(Default)]
pub struct Discovered {
    splits: Mutex<Vec<Split>>,
    /// Why nothing can be found at the moment.
    problem: Mutex<Option<Problem>>,
}

impl Discovered {
    /// Those behind the first `seen`, which counts on.
    pub fn since(&self, seen: &mut usize) -> Vec<Split> {
        let splits = self.splits.lock().unwrap_or_else(PoisonError::into_inner);
        let new = splits[*seen..].to_vec();
        *seen = splits.len();
        new
    }

    pub fn problem(&self) -> Option<Problem> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks once. `known` are all ids that have been seen.
    fn look(&self, source: &dyn Source, known: &mut BTreeSet<String>) {
        let problem = match source.splits() {
            Ok(splits) => {
                let new = splits.into_iter().filter(|split| known.insert(split.id.clone()));
                self.splits.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
                None
            }
            Err(problem) => Some(problem),
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Begins to look for new splits of the job's sources, for as long as the job is there.
pub fn begin(job: &Arc<Job>) -> Result<()> {
    for (place, open) in job.sources.iter().enumerate() {
        if let Some(interval) = open.source.discovery() {
            keep_looking(job, place, interval)?;
        }
    }
    Ok(())
}

fn keep_looking(job: &Arc<Job>, place: usize, interval: Duration) -> Result<()> {
    let weak = Arc::downgrade(job);
    let mut known: BTreeSet<String> = job.sources[place].splits.iter().map(|split| split.id.clone()).collect();
    let work = move || {
        loop {
            std::thread::sleep(interval);
            let Some(job) = weak.upgrade().filter(|job| !job.shared.has_failed()) else { return };
            let open = &job.sources[place];
            open.discovered.look(&*open.source, &mut known);
        }
    };
    let thread = std::thread::Builder::new().name("discovery".to_string()).spawn(work);
    thread.map(drop).map_err(|error| internal(&job.sources[place].uid, error))
}
