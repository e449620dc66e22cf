//! Plays the engine child: speaks the whole protocol, keeps real state in real manifests and commits real output, but
//! its "records" are numbers that it counts up. Each split's output must in the end be 0, 1, 2, … with nothing missing
//! and nothing twice; `tests/jobs` checks that after every kind of disturbance.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use serde::{Deserialize, Serialize};
use tidemill_model::control::{
    AfterCheckpoint, EngineCommand, EngineEvent, EngineProgress, EngineStart, WorkerCapture,
};
use tidemill_model::key_groups::KeyGroupRange;
use tidemill_model::snapshot::{ApplicationPaths, Committable, Manifest, OperatorState, SplitState, StateFile};
use tidemill_model::status::{SinkStatus, SourceStatus};
use tidemill_model::{CheckpointId, Epoch};

/// What the plan of a fake job says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plan {
    /// Where committed output and process ids go.
    output: PathBuf,
    splits: u64,
    /// Records per split and tick of 10 ms.
    rate: u64,
    /// Records in each split; none for an endless one.
    limit: Option<u64>,
    /// Die once, when this checkpoint's commit is ordered, before carrying it out.
    crash_before_commit: Option<u64>,
    /// Never answer checkpoints, as long as this file exists.
    silent_while: Option<PathBuf>,
}

/// A part of a split's records.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Chunk {
    split: u64,
    from: u64,
    to: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cut {
    id: CheckpointId,
    then: AfterCheckpoint,
}

enum Told {
    Command(EngineCommand),
    Cut(Cut),
}

fn main() {
    let (sender, told) = mpsc::channel();
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    say(&EngineEvent::Listening { port: listener.local_addr().expect("bound").port() });
    read_commands(sender.clone());
    let Ok(Told::Command(EngineCommand::Start(start))) = told.recv() else { return };
    accept_cuts(listener, sender.clone());
    let mut engine = Engine::restore(*start, sender);
    say(&EngineEvent::Running);
    let mut reported = Instant::now();
    loop {
        match told.recv_timeout(Duration::from_millis(10)) {
            Ok(Told::Command(EngineCommand::Checkpoint { id, then })) => engine.announce(Cut { id, then }),
            Ok(Told::Command(EngineCommand::Commit { id })) => engine.commit(id),
            Ok(Told::Command(EngineCommand::Start(_))) => panic!("started twice"),
            Ok(Told::Cut(cut)) => engine.cut(&cut),
            Err(RecvTimeoutError::Timeout) => engine.count(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if reported.elapsed() > Duration::from_millis(200) {
            reported = Instant::now();
            engine.report();
        }
    }
}

fn say(event: &EngineEvent) {
    let mut line = serde_json::to_string(event).expect("an event");
    line.push('\n');
    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
        process::exit(1);
    }
}

fn read_commands(sender: Sender<Told>) {
    thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let command = serde_json::from_str(&line.expect("a line")).expect("a command");
            let _ = sender.send(Told::Command(command));
        }
        process::exit(0); // the supervisor has ended
    });
}

/// Cuts reach the other workers over the data connections, as in the real engine.
fn accept_cuts(listener: TcpListener, sender: Sender<Told>) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let _ = sender.send(Told::Cut(serde_json::from_str(&line).expect("a cut")));
            }
        }
    });
}

struct Engine {
    start: EngineStart,
    plan: Plan,
    root: PathBuf,
    paths: ApplicationPaths,
    sender: Sender<Told>,
    /// Own splits: how far they are read, and how far their output is committed.
    positions: BTreeMap<u64, u64>,
    committed: BTreeMap<u64, u64>,
    captured: BTreeMap<u64, u64>,
    stopped: bool,
    finished: bool,
    records: u64,
}

impl Engine {
    fn restore(start: EngineStart, sender: Sender<Told>) -> Self {
        let plan: Plan = serde_json::from_value(start.job.plan.clone()).expect("a fake plan");
        let root = PathBuf::from(start.job.storage.uri.strip_prefix("file://").expect("a folder"));
        fs::create_dir_all(&plan.output).expect("an output folder");
        let pid = plan.output.join(format!("pid-{}-{}", start.incarnation, start.worker));
        fs::write(pid, process::id().to_string()).expect("a process id");
        let mut engine = Self {
            paths: ApplicationPaths::new(&start.job.application),
            positions: BTreeMap::new(),
            committed: BTreeMap::new(),
            captured: BTreeMap::new(),
            stopped: false,
            finished: false,
            records: 0,
            root,
            plan,
            start,
            sender,
        };
        let own = (0..engine.plan.splits).filter(|split| engine.owns(*split));
        engine.positions = own.map(|split| (split, 0)).collect();
        if let Some(path) = engine.start.restore.clone() {
            for split in engine.read(&path).splits {
                let (number, position) =
                    (split.split.parse().expect("a number"), split.position.as_u64().expect("a position"));
                engine.positions.entry(number).and_modify(|mine| *mine = position);
            }
        }
        engine.committed = engine.positions.clone();
        engine.replay();
        engine
    }

    fn owns(&self, split: u64) -> bool {
        split % u64::from(self.start.job.workers) == u64::from(self.start.worker)
    }

    fn read(&self, path: &str) -> Manifest {
        serde_json::from_slice(&fs::read(self.root.join(path)).expect("a manifest")).expect("a readable manifest")
    }

    /// Commits what an earlier incarnation may not have.
    fn replay(&self) {
        let Some(pending) = &self.start.commit else { return };
        for committable in self.read(&pending.manifest).committables {
            if self.owns(u64::from(committable.slot)) {
                for chunk in committable.chunks {
                    let chunk = serde_json::from_slice(&fs::read(self.root.join(chunk.path)).expect("a chunk"))
                        .expect("a chunk");
                    self.publish(pending.checkpoint, chunk);
                }
            }
        }
        say(&EngineEvent::Committed { id: pending.checkpoint });
    }

    fn count(&mut self) {
        if self.stopped {
            return;
        }
        let limit = self.plan.limit.unwrap_or(u64::MAX);
        for position in self.positions.values_mut() {
            let next = (*position + self.plan.rate).min(limit);
            self.records += next - *position;
            *position = next;
        }
        if !self.finished && self.positions.values().all(|position| *position == limit) {
            self.finished = true;
            say(&EngineEvent::Finished);
        }
    }

    /// Worker 0 chooses the epoch and tells the others.
    fn announce(&mut self, cut: Cut) {
        if self.plan.silent_while.as_ref().is_some_and(|file| file.exists()) {
            return;
        }
        say(&EngineEvent::CheckpointAt { id: cut.id, epoch: Epoch(cut.id.0 * 10) });
        for peer in &self.start.peers[1..] {
            tell(*peer, &cut);
        }
        let _ = self.sender.send(Told::Cut(cut));
    }

    fn cut(&mut self, cut: &Cut) {
        self.stopped = cut.then == AfterCheckpoint::Stop;
        self.captured = self.positions.clone();
        let splits = self.positions.iter().map(|(split, position)| SplitState {
            source: "numbers".into(),
            split: split.to_string(),
            position: (*position).into(),
            watermark_ms: None,
        });
        let committables = self.positions.iter().map(|(split, position)| {
            let chunk = Chunk { split: *split, from: self.committed[split], to: *position };
            let file = self.store(&format!("{}-{split}", cut.id), &serde_json::to_vec(&chunk).expect("a chunk"));
            Committable { sink: "out".into(), slot: *split as u32, chunks: vec![file] }
        });
        let state = self.store(&format!("state-{}-{}", cut.id, self.start.worker), b"state");
        let (operator, layout) = ("count".into(), "fake".into());
        let operators = vec![OperatorState { operator, layout, files: vec![state], watermark_ms: None }];
        let capture = WorkerCapture { operators, splits: splits.collect(), committables: committables.collect() };
        say(&EngineEvent::Captured { id: cut.id, capture });
    }

    fn store(&self, part: &str, bytes: &[u8]) -> StateFile {
        let path = self.paths.staged(self.start.incarnation, part);
        let file = self.root.join(&path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a data folder");
        fs::write(&file, bytes).expect("a staged file");
        StateFile { path, bytes: bytes.len() as u64, rows: 1, crc32: 0, key_groups: KeyGroupRange::ALL }
    }

    fn commit(&mut self, id: CheckpointId) {
        let crashed = self.plan.output.join("crashed");
        if self.plan.crash_before_commit.is_some_and(|at| id.0 >= at) && !crashed.exists() && self.start.worker == 0 {
            fs::write(crashed, "").expect("a marker");
            process::abort();
        }
        for (split, to) in &self.captured {
            self.publish(id, Chunk { split: *split, from: self.committed[split], to: *to });
        }
        self.committed = self.captured.clone();
        say(&EngineEvent::Committed { id });
    }

    /// Repeating it has the same effect: the name comes from the checkpoint.
    fn publish(&self, id: CheckpointId, chunk: Chunk) {
        let name = format!("out-{:06}-{}.json", id.0, chunk.split);
        let temporary = self.plan.output.join(format!(".{name}-{}", process::id()));
        fs::write(&temporary, serde_json::to_vec(&chunk).expect("a chunk")).expect("an output file");
        fs::rename(temporary, self.plan.output.join(name)).expect("an output file");
    }

    fn report(&self) {
        let source = SourceStatus {
            table: "numbers".into(),
            records: self.records,
            lag_records: Some(0),
            ..SourceStatus::default()
        };
        let sink = SinkStatus { table: "out".into(), records: self.records, bytes: 0 };
        say(&EngineEvent::Progress(EngineProgress {
            sources: vec![source],
            sinks: vec![sink],
            ..EngineProgress::default()
        }));
    }
}

fn tell(peer: SocketAddr, cut: &Cut) {
    let mut line = serde_json::to_string(cut).expect("a cut");
    line.push('\n');
    if let Ok(mut stream) = TcpStream::connect(peer) {
        let _ = stream.write_all(line.as_bytes());
    }
}
