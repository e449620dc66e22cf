//! Tables that rows are looked up in: loaded whole, found by key, and loaded anew from time to time on a helper thread.
//! All engine threads of a process share one copy. What is looked up is never state: a restart loads it again.

mod index;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use tidemill_model::status::Problem;
use tidemill_plan::LookupJoin;

pub use index::{FoundRows, LookupIndex};

use crate::connector::{Lookup, Reload, Result};
use crate::operator::internal;

/// The tables of a plan, by the uids of the joins that look up in them.
#[derive(Default)]
pub struct Lookups {
    tables: BTreeMap<String, Arc<LookupTable>>,
}

/// A table as one join needs it.
pub struct LookupTable {
    uid: String,
    lookup: Arc<dyn Lookup>,
    schema: SchemaRef,
    /// The columns that rows are found by.
    keys: Vec<usize>,
    index: RwLock<Arc<LookupIndex>>,
    /// Why the rows are older than they should be.
    problem: Mutex<Option<Problem>>,
}

impl Lookups {
    /// Loads the table of the join with this uid.
    pub fn open(&mut self, uid: &str, join: &LookupJoin, lookup: Arc<dyn Lookup>) -> Result<()> {
        let schema = join.table_schema.clone();
        let keys: Vec<usize> = join.on.keys.iter().map(|key| key.right).collect();
        let index = LookupIndex::new(&schema, &keys, &lookup.load()?).map_err(|error| internal(uid, error))?;
        let table = Arc::new(LookupTable {
            uid: uid.to_string(),
            schema,
            keys,
            index: RwLock::new(Arc::new(index)),
            problem: Mutex::new(None),
            lookup,
        });
        if let Some(reload) = table.lookup.reload() {
            keep_loading(&table, reload)?;
        }
        self.tables.insert(uid.to_string(), table);
        Ok(())
    }

    pub fn of(&self, uid: &str) -> Option<&Arc<LookupTable>> {
        self.tables.get(uid)
    }

    /// What goes wrong at the moment with loading tables anew.
    pub fn problems(&self) -> Vec<Problem> {
        let problem = |table: &Arc<LookupTable>| table.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.tables.values().filter_map(problem).collect()
    }
}

impl LookupTable {
    /// The rows as they were loaded last.
    pub fn current(&self) -> Arc<LookupIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the rows anew. If that fails, the former ones go on to serve, and the fault is reported.
    fn load(&self) {
        let index = self.lookup.load().and_then(|rows| {
            LookupIndex::new(&self.schema, &self.keys, &rows).map_err(|error| internal(&self.uid, error))
        });
        let problem = match index {
            Ok(index) => {
                *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
                None
            }
            Err(problem) => Some(problem),
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Loads the table again and again for as long as somebody has it.
fn keep_loading(table: &Arc<LookupTable>, reload: Reload) -> Result<()> {
    let weak: Weak<LookupTable> = Arc::downgrade(table);
    let work = move || {
        let mut pause = pause(reload, Duration::ZERO);
        loop {
            std::thread::sleep(pause);
            let Some(table) = weak.upgrade() else { return };
            let begun = Instant::now();
            table.load();
            pause = self::pause(reload, begun.elapsed());
        }
    };
    let thread = std::thread::Builder::new().name("lookup".to_string()).spawn(work);
    thread.map(drop).map_err(|error| internal(&table.uid, error))
}

/// How long to wait after a loading that took so long.
fn pause(reload: Reload, took: Duration) -> Duration {
    match reload {
        Reload::After(interval) => interval,
        Reload::Every(interval) => interval.saturating_sub(took),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    use tidemill_model::status::ProblemKind;
    use tidemill_plan::{JoinKey, JoinKind, JoinOn, Table};

    use super::*;

    /// A table of one row, which counts how often it has been loaded; from the third time on it cannot be.
    struct Counter(AtomicI64);

    impl Lookup for Counter {
        fn load(&self) -> Result<Vec<RecordBatch>> {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            if count >= 2 {
                return Err(Problem {
                    kind: ProblemKind::SourceUnreachable,
                    object: "t".to_string(),
                    message: "it is gone".to_string(),
                    remedy: "bring it back".to_string(),
                });
            }
            let column: ArrayRef = Arc::new(Int64Array::from(vec![count]));
            Ok(vec![RecordBatch::try_from_iter([("n", column)]).unwrap()])
        }

        fn reload(&self) -> Option<Reload> {
            Some(Reload::After(Duration::from_millis(20)))
        }
    }

    fn join() -> LookupJoin {
        LookupJoin {
            kind: JoinKind::Inner,
            table: Table {
                name: "t".to_string(),
                connector: "c".to_string(),
                options: BTreeMap::new(),
                ..Default::default()
            },
            table_schema: Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)])),
            on: JoinOn { keys: vec![JoinKey { left: 0, right: 0, nulls_equal: false }], condition: None },
        }
    }

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(10), "waited for: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn rows_are_loaded_anew_and_stay_if_that_fails() {
        let mut lookups = Lookups::default();
        lookups.open("join", &join(), Arc::new(Counter(AtomicI64::new(0)))).unwrap();
        let table = lookups.of("join").unwrap();
        let asked: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let is_there = || !table.current().find(std::slice::from_ref(&asked), None).unwrap().rows(0).is_empty();
        assert!(!is_there(), "the first loading has 0");
        until("the second loading", is_there);
        until("the failure", || !lookups.problems().is_empty());
        assert!(is_there(), "the rows of the last loading that succeeded");
        assert_eq!(lookups.problems()[0].message, "it is gone");
    }

    #[test]
    fn the_time_that_a_loading_takes_counts_or_not() {
        let (interval, took) = (Duration::from_secs(10), Duration::from_secs(3));
        assert_eq!(pause(Reload::After(interval), took), interval);
        assert_eq!(pause(Reload::Every(interval), took), Duration::from_secs(7));
        assert_eq!(pause(Reload::Every(interval), Duration::from_secs(11)), Duration::ZERO);
    }
}
