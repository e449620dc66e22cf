//! Reads a table on one engine thread and runs the first chain of operators on what it reads.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use tidemill_model::snapshot::SplitState;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, Stream};
use timely::scheduling::Activator;

use super::clock::Turn;
use super::message::Message;
use super::{Builder, Thread, send};
use crate::checkpoint::Part;
use crate::connector::{AssignedSplit, Polled, Result, SourceReader};
use crate::element::{Element, Watermark};
use crate::event_time::EventTime;
use crate::operator::Chain;
use crate::watermark::SplitWatermarks;

/// Rows asked of a reader at a time. A batch of narrow rows then fits the second-level cache.
const ROWS_PER_POLL: usize = 8192;
/// How soon a reader without rows is asked again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
/// How soon a source without credit looks again.
const CREDIT_PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

/// One source on one thread.
pub struct SourceTask {
    pub uid: String,
    /// The source's place among the plan's sources.
    pub place: usize,
    /// The stage that it begins, for counters.
    pub stage: usize,
    pub reader: Box<dyn SourceReader>,
    pub splits: Vec<String>,
    /// How many of the splits that were found since have been looked at.
    pub discovered: usize,
    pub watermarks: SplitWatermarks,
    pub event_time: Option<EventTime>,
    pub alignment: Option<Aligned>,
    /// The splits that have to wait for others; empty if none has.
    pub held: Vec<bool>,
    pub chain: Chain,
    pub epoch: u64,
    /// When it was last found without credit, if it has not read since.
    pub waiting_since_ms: Option<u64>,
    pub finished: bool,
}

/// The source waits for others of the job's alignment group at this place.
pub struct Aligned {
    pub group: usize,
    pub max_drift_ms: u64,
}

pub fn build<'scope>(scope: Scope<'scope, u64>, mut task: SourceTask, thread: Thread) -> Stream<'scope, u64, Message> {
    source::<_, Builder, _, _>(scope, &task.uid.clone(), move |capability, info| {
        let activator = thread.activator(scope, info.address.clone());
        let mut capability = Some(capability);
        move |output| {
            if let Err(problem) = task.run(&mut capability, output, &thread, &activator) {
                thread.fail(problem);
            }
        }
    })
}

type Session<'a> = OutputBuilderSession<'a, u64, Builder>;

impl SourceTask {
    fn run(
        &mut self,
        capability: &mut Option<Capability<u64>>,
        output: &mut Session<'_>,
        thread: &Thread,
        activator: &Activator,
    ) -> Result<()> {
        let Some(held) = capability else { return Ok(()) };
        if thread.has_failed() {
            return Ok(());
        }
        match thread.turn(Instant::now()) {
            Turn::Read { epoch } => {
                self.waiting_since_ms = None;
                self.enter(epoch, held, output, thread)?;
                self.read(held, output, thread, activator)?;
            }
            Turn::Wait { epoch } => {
                self.enter(epoch, held, output, thread)?;
                thread.board().back_pressured_ms += CREDIT_PAUSE.as_millis() as u64;
                self.wait();
                activator.activate_after(CREDIT_PAUSE);
            }
            Turn::Stop { epoch } => {
                self.enter(epoch, held, output, thread)?;
                self.leave(held, output, thread)?;
                *capability = None;
            }
        }
        Ok(())
    }

    /// Notes that the source has to wait, which makes none of its splits idle.
    fn wait(&mut self) {
        let now_ms = now_ms();
        let since_ms = self.waiting_since_ms.replace(now_ms).unwrap_or(now_ms);
        self.watermarks.waited(now_ms.saturating_sub(since_ms));
    }

    /// Leaves epochs until `epoch` is the current one.
    fn enter(
        &mut self,
        epoch: u64,
        capability: &mut Capability<u64>,
        output: &mut Session<'_>,
        thread: &Thread,
    ) -> Result<()> {
        while self.epoch < epoch {
            self.leave(capability, output, thread)?;
            self.epoch += 1;
            capability.downgrade(&self.epoch);
        }
        Ok(())
    }

    /// Ends the current epoch: the watermark goes behind its rows, what the chain holds back goes out, and, if the epoch
    /// is a checkpoint, the positions are noted.
    fn leave(&mut self, capability: &Capability<u64>, output: &mut Session<'_>, thread: &Thread) -> Result<()> {
        thread.handle(self.epoch);
        let mut elements = Vec::new();
        if let Some(watermark) = self.next_watermark() {
            self.chain.on_element(0, Element::Watermark(watermark), &mut elements)?;
        }
        self.chain.on_epoch_end(now_ms() as i64, &mut elements)?;
        send(output, capability, elements, thread);
        if let Some(aligned) = &self.alignment {
            thread.tell_time(aligned.group, self.place, self.watermarks.said().unwrap_or(Watermark::At(i64::MIN)));
        }
        if let Some(announcement) = thread.checkpoint_at(self.epoch) {
            let splits = self.split_states();
            thread.part(Part::Splits { checkpoint: announcement.checkpoint, splits });
            thread.capture_chain(&mut self.chain, announcement.checkpoint)?;
        }
        self.discover(thread)?;
        self.report(thread);
        Ok(())
    }

    /// Takes in splits that have been found since.
    fn discover(&mut self, thread: &Thread) -> Result<()> {
        let source = thread.source(self.place);
        for split in source.discovered.since(&mut self.discovered).iter().filter(|split| thread.reads(split)) {
            let position = source.source.beginning(split);
            self.reader.add(AssignedSplit { id: split.id.clone(), number: split.number, position })?;
            self.splits.push(split.id.clone());
            self.watermarks.add(None, now_ms());
        }
        Ok(())
    }

    /// The watermark to tell downstream, if it is another.
    fn next_watermark(&mut self) -> Option<Watermark> {
        match self.finished {
            true => self.watermarks.end(),
            false if self.event_time.is_some() => self.watermarks.next(now_ms()),
            false => None,
        }
    }

    fn read(
        &mut self,
        capability: &Capability<u64>,
        output: &mut Session<'_>,
        thread: &Thread,
        activator: &Activator,
    ) -> Result<()> {
        if self.finished {
            activator.activate_after(PAUSE);
            return Ok(());
        }
        thread.handle(self.epoch);
        if let Some(aligned) = &self.alignment {
            let held = self.watermarks.hold_beyond(thread.limit(aligned), now_ms());
            if !held.is_empty() && held.iter().all(|held| *held) {
                activator.activate_after(PAUSE);
                return Ok(());
            }
            if held != self.held {
                self.reader.hold(&held);
                self.held = held;
            }
        }
        match self.reader.poll(ROWS_PER_POLL)? {
            Polled::Batch { split, rows } => {
                thread.saw_record();
                self.observe(split, &rows)?;
                let mut elements = Vec::new();
                self.chain.on_element(0, Element::Batch(rows), &mut elements)?;
                send(output, capability, elements, thread);
                activator.activate();
            }
            Polled::Ended { split } => {
                self.watermarks.end_split(split);
                activator.activate();
            }
            Polled::Pending => activator.activate_after(PAUSE),
            Polled::PendingFor { ms } => {
                let pause = std::time::Duration::from_millis(ms.clamp(1, 100));
                activator.activate_after(pause);
            }
            Polled::Finished => {
                self.finished = true;
                activator.activate_after(PAUSE);
            }
        }
        Ok(())
    }

    fn observe(&mut self, split: usize, rows: &RecordBatch) -> Result<()> {
        let Some(event_time) = &self.event_time else { return Ok(()) };
        let latest = event_time.latest(rows, &self.uid)?;
        self.watermarks.observe(split, latest, now_ms());
        Ok(())
    }

    fn split_states(&self) -> Vec<SplitState> {
        let positions = self.reader.positions();
        let states = self.splits.iter().zip(positions).enumerate();
        states
            .map(|(place, (split, position))| SplitState {
                source: self.uid.clone(),
                split: split.clone(),
                position,
                watermark_ms: self.watermarks.of_split(place),
            })
            .collect()
    }

    fn report(&self, thread: &Thread) {
        let mut board = thread.board();
        board.epoch = self.epoch;
        board.late_rows[self.stage] = self.chain.late_rows();
        board.state_bytes[self.stage] = self.chain.state_bytes();
        let source = &mut board.sources[self.place];
        source.stats = self.reader.stats();
        // The end is told once the watermark that closes all windows has gone out.
        source.finished = self.watermarks.said() == Some(Watermark::END);
        source.watermark_ms = match self.watermarks.said() {
            Some(Watermark::At(time)) if time != i64::MAX => Some(time),
            Some(_) | None => source.watermark_ms,
        };
    }
}

pub fn now_ms() -> u64 {
    // A clock before 1970 is no clock; zero then only makes idle time-outs wait.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
