//! Reads a table's files: each is a split, whose position is a byte. A helper thread of each reader reads one file after
//! the other and hands rows over through a bounded ring.
//!
//! Without `source.monitor-interval` the files that are there at the first start are all, and the table ends with them.
//! With it, the path is listed again and again for further ones. A file is read up to the length that it has when it is
//! found: files have to appear whole, and what is appended later is not read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use object_store::path::Path;
use serde_json::{Value, json};
use tidemill_engine::connector::{AssignedSplit, Polled, Result, Source, SourceReader, SourceStats, Split};
use tidemill_model::status::{Problem, ProblemKind};

use super::files::{File, Files};
use super::rows::{FileRows, Reading};

/// Batches that wait for the engine thread.
const RING: usize = 4;

pub struct FileSource {
    table: Arc<FileTable>,
    monitor: Option<Duration>,
}

/// What the source and its readers share.
struct FileTable {
    files: Arc<Files>,
    reading: Reading,
    /// The files as they were when they were listed first.
    found: Mutex<BTreeMap<String, File>>,
}

impl FileSource {
    pub fn new(files: Arc<Files>, reading: Reading, monitor: Option<Duration>) -> Self {
        Self { table: Arc::new(FileTable { files, reading, found: Mutex::default() }), monitor }
    }
}

impl FileTable {
    /// A split's file and where to go on in it.
    fn start(&self, split: &AssignedSplit) -> Result<(File, u64)> {
        if let Some(position) = &split.position {
            let Position { byte, of } = self.position(&split.id, position)?;
            let path = Path::parse(&split.id);
            let path = path.map_err(|error| self.unreadable(format!("`{}` is no file: {error}", split.id)))?;
            return Ok((File { path, bytes: of }, byte));
        }
        let file = self.found().get(&split.id).cloned();
        file.map(|file| (file, 0)).ok_or_else(|| self.unreadable(format!("the file `{}` was not listed", split.id)))
    }

    fn position(&self, split: &str, value: &Value) -> Result<Position> {
        let number = |name: &str| value[name].as_u64();
        let position = number("byte").zip(number("of")).map(|(byte, of)| Position { byte, of });
        position
            .filter(|position| position.byte <= position.of)
            .ok_or_else(|| self.unreadable(format!("the position `{value}` of `{split}` is none of a file")))
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self, message: String) -> Problem {
        Problem {
            kind: ProblemKind::StateUnreadable,
            object: self.files.table().to_string(),
            message,
            remedy: "restore from a snapshot of this table, or start empty".to_string(),
        }
    }
}

/// How far a file has been read, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    byte: u64,
    of: u64,
}

impl Position {
    fn value(self) -> Value {
        json!({ "byte": self.byte, "of": self.of })
    }
}

impl Source for FileSource {
    fn splits(&self) -> Result<Vec<Split>> {
        let files = match self.monitor {
            None => self.table.files.list_some()?,
            Some(_) => self.table.files.list()?,
        };
        let mut found = self.table.found();
        for file in &files {
            found.entry(file.path.to_string()).or_insert_with(|| file.clone());
        }
        Ok(files.iter().map(|file| split(&file.path)).collect())
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        let mut reader = FileReader::new(self.table.clone(), self.monitor.is_none())?;
        splits.into_iter().try_for_each(|split| reader.add(split))?;
        Ok(Box::new(reader))
    }

    fn bounded(&self) -> bool {
        self.monitor.is_none()
    }

    fn discovery(&self) -> Option<Duration> {
        self.monitor
    }

    fn reads_in_turn(&self) -> bool {
        true
    }

    /// A file that has been read may go.
    fn gone(&self, split: &str, position: &Value) -> Result<()> {
        let Position { byte, of } = self.table.position(split, position)?;
        match byte < of {
            false => Ok(()),
            true => {
                Err(self.table.unreadable(format!("`{split}` has been read up to byte {byte} of {of}, and is gone")))
            }
        }
    }
}

/// Where a split stands does not depend on which others there are: workers may see different ones at first.
fn split(path: &Path) -> Split {
    let id = path.to_string();
    Split { number: fnv(id.as_bytes()), id }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A file to be read, by its split's place.
struct Order {
    split: usize,
    file: File,
    byte: u64,
}

enum Event {
    Rows { split: usize, rows: RecordBatch, byte: u64 },
    Ended { split: usize },
    Failed(Problem),
}

pub struct FileReader {
    table: Arc<FileTable>,
    positions: Vec<Position>,
    /// Splits that are told to have ended.
    ended: usize,
    is_bounded: bool,
    orders: Sender<Order>,
    events: Receiver<Event>,
    /// Splits that had nothing left from the beginning.
    over: VecDeque<usize>,
    /// Splits that wait for other sources; empty if none does.
    held: Vec<bool>,
    /// Rows of such a split, for which those behind them wait, too.
    kept: Option<Event>,
    undecodable: Arc<AtomicU64>,
    records: u64,
    bytes: u64,
}

impl FileReader {
    fn new(table: Arc<FileTable>, is_bounded: bool) -> Result<Self> {
        let (orders, taken) = channel();
        let (put, events) = sync_channel(RING);
        let undecodable = Arc::new(AtomicU64::new(0));
        let worker = Worker { table: table.clone(), put, undecodable: undecodable.clone() };
        let thread = std::thread::Builder::new().name("files".to_string()).spawn(move || worker.run(&taken));
        thread.map_err(|error| Problem {
            kind: ProblemKind::Internal,
            object: table.files.table().to_string(),
            message: format!("failed to start a thread for reading files: {error}"),
            remedy: "check the process's limits on threads".to_string(),
        })?;
        let (positions, over) = (Vec::new(), VecDeque::new());
        Ok(Self {
            table,
            positions,
            ended: 0,
            is_bounded,
            orders,
            events,
            over,
            held: Vec::new(),
            kept: None,
            undecodable,
            records: 0,
            bytes: 0,
        })
    }

    fn queue(&mut self, file: File, byte: u64) {
        let split = self.positions.len();
        self.positions.push(Position { byte, of: file.bytes });
        match byte < file.bytes {
            // The worker is gone only after a failure, which it has told of.
            true => drop(self.orders.send(Order { split, file, byte })),
            false => self.over.push_back(split),
        }
    }

    fn end(&mut self, split: usize) -> Polled {
        self.ended += 1;
        self.positions[split].byte = self.positions[split].of;
        Polled::Ended { split }
    }
}

impl SourceReader for FileReader {
    fn poll(&mut self, _: usize) -> Result<Polled> {
        if let Some(split) = self.over.pop_front() {
            return Ok(self.end(split));
        }
        match self.kept.take().map_or_else(|| self.events.try_recv(), Ok) {
            Ok(event @ Event::Rows { split, .. }) if self.held.get(split) == Some(&true) => {
                self.kept = Some(event);
                Ok(Polled::PendingFor { ms: 5 })
            }
            Ok(Event::Rows { split, rows, byte }) => {
                self.bytes += byte - self.positions[split].byte;
                self.positions[split].byte = byte;
                self.records += rows.num_rows() as u64;
                Ok(Polled::Batch { split, rows })
            }
            Ok(Event::Ended { split }) => Ok(self.end(split)),
            Ok(Event::Failed(problem)) => Err(problem),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) if self.ended < self.positions.len() => {
                Ok(Polled::PendingFor { ms: 1 })
            }
            Err(_) if self.is_bounded => Ok(Polled::Finished),
            Err(_) => Ok(Polled::PendingFor { ms: 50 }),
        }
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn positions(&self) -> Vec<Value> {
        self.positions.iter().map(|position| position.value()).collect()
    }

    fn stats(&self) -> SourceStats {
        SourceStats {
            records: self.records,
            bytes: self.bytes,
            undecodable: self.undecodable.load(Ordering::Relaxed),
            ..SourceStats::default()
        }
    }

    fn add(&mut self, split: AssignedSplit) -> Result<()> {
        let (file, byte) = self.table.start(&split)?;
        self.queue(file, byte);
        Ok(())
    }
}

/// What reads for a reader.
struct Worker {
    table: Arc<FileTable>,
    put: SyncSender<Event>,
    undecodable: Arc<AtomicU64>,
}

/// Nobody wants any more.
struct Unwanted;

impl Worker {
    fn run(self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            let told = match self.read(order) {
                Ok(told) => told,
                Err(problem) => self.tell(Event::Failed(problem)).and(Err(Unwanted)),
            };
            if told.is_err() {
                return;
            }
        }
    }

    fn read(&self, Order { split, file, byte }: Order) -> Result<std::result::Result<(), Unwanted>> {
        let mut rows = FileRows::new(&self.table.reading, self.table.files.clone(), file, byte)?;
        let mut counted = 0;
        while let Some(piece) = rows.next()? {
            self.undecodable.fetch_add(rows.undecodable() - counted, Ordering::Relaxed);
            counted = rows.undecodable();
            if self.tell(Event::Rows { split, rows: piece.rows, byte: piece.position }).is_err() {
                return Ok(Err(Unwanted));
            }
        }
        Ok(self.tell(Event::Ended { split }))
    }

    fn tell(&self, event: Event) -> std::result::Result<(), Unwanted> {
        self.put.send(event).map_err(|_| Unwanted)
    }
}
