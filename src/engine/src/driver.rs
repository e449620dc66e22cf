//! Runs a plan's operators on one thread, deterministically: no clock, no sockets, no timely. For tests, and for trying
//! a plan out. Several engine threads are played by turns in an order that the caller's seed decides.

use std::collections::VecDeque;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidemill_model::key_groups::{KeyGroupRange, key_group, thread_of};
use tidemill_plan::StreamPlan;

use crate::element::{Element, Watermark};
use crate::hash::hash_rows;
use crate::operator::{CapturedState, Chain, Output, Result, internal};
use crate::stages::{Stage, StageInput, Stages, cut};
use crate::watermark::CombinedWatermark;

/// A plan on `parallelism` played threads.
pub struct Driver {
    stages: Stages,
    threads: Vec<Vec<Playing>>,
    /// What each sink received, by the sink's place in the plan.
    pub received: Vec<(usize, RecordBatch)>,
    random: u64,
}

/// One stage on one thread.
struct Playing {
    chain: Chain,
    watermark: CombinedWatermark,
    inbox: VecDeque<(usize, Element)>,
}

/// The state of all stateful operators, by uid, at the end of an epoch.
pub type Snapshot = Vec<(String, CapturedState)>;

impl Driver {
    /// `seed` decides the order in which stages and threads take turns.
    pub fn new(plan: &StreamPlan, parallelism: usize, seed: u64) -> Result<Self> {
        let stages = cut(plan, parallelism).map_err(|error| internal("plan", error))?;
        let mut threads = Vec::with_capacity(parallelism);
        for thread in 0..parallelism {
            let owned = KeyGroupRange::of_thread(thread, parallelism);
            let mut playing = Vec::with_capacity(stages.stages.len());
            for stage in &stages.stages {
                let chain = stage.chain(plan, owned).map_err(|error| internal("plan", error))?;
                let senders = match stage.input {
                    StageInput::Exchanged { .. } => parallelism,
                    StageInput::Source(_) | StageInput::Same(_) => 1,
                };
                let watermark = CombinedWatermark::new(senders);
                playing.push(Playing { chain, watermark, inbox: VecDeque::new() });
            }
            threads.push(playing);
        }
        Ok(Self { stages, threads, received: Vec::new(), random: seed | 1 })
    }

    /// Takes a snapshot back, before anything else.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        for thread in &mut self.threads {
            for playing in thread {
                for (uid, _, operator) in playing.chain.stateful() {
                    for rows in snapshot.iter().filter(|(name, _)| name == uid).flat_map(|(_, state)| &state.rows) {
                        operator.restore(rows)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Something that the source at `source` of the plan reads on `thread`.
    pub fn feed(&mut self, source: usize, thread: usize, element: Element) -> Result<()> {
        let stage = self.stages.stages.iter().position(|stage| stage.input == StageInput::Source(source));
        let stage = stage.ok_or_else(|| internal("driver", format!("no source at {source}")))?;
        let mut output = Vec::new();
        self.threads[thread][stage].chain.on_element(element, &mut output)?;
        self.hand_on(stage, thread, output)
    }

    /// Ends the epoch everywhere: what is under way arrives, in some order.
    pub fn end_epoch(&mut self) -> Result<()> {
        for stage in 0..self.stages.stages.len() {
            self.drain(stage)?;
            for thread in 0..self.threads.len() {
                let mut output = Vec::new();
                self.threads[thread][stage].chain.on_epoch_end(&mut output)?;
                self.hand_on(stage, thread, output)?;
            }
        }
        Ok(())
    }

    /// Ends the epoch, then tells `watermark` as read by every thread of every source, then ends another epoch.
    pub fn watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.end_epoch()?;
        let sources: Vec<usize> = self.stages.stages.iter().filter_map(source_of).collect();
        for source in sources {
            for thread in 0..self.threads.len() {
                self.feed(source, thread, Element::Watermark(watermark))?;
            }
        }
        self.end_epoch()
    }

    /// The state at the end of the epoch that was ended last.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let mut snapshot = Snapshot::new();
        for playing in self.threads.iter_mut().flatten() {
            for (uid, _, operator) in playing.chain.stateful() {
                if let Some(state) = operator.capture() {
                    snapshot.push((uid.to_string(), state?));
                }
            }
        }
        Ok(snapshot)
    }

    /// Rows dropped for lateness.
    pub fn late_rows(&self) -> u64 {
        self.threads.iter().flatten().map(|playing| playing.chain.late_rows()).sum()
    }

    /// Delivers what waits for a stage, threads in random order; elements of one sender stay in order.
    fn drain(&mut self, stage: usize) -> Result<()> {
        loop {
            let waiting: Vec<usize> =
                (0..self.threads.len()).filter(|thread| !self.threads[*thread][stage].inbox.is_empty()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            let thread = waiting[self.next_random() as usize % waiting.len()];
            let playing = &mut self.threads[thread][stage];
            let Some((sender, element)) = playing.inbox.pop_front() else { continue };
            let element = match element {
                Element::Batch(rows) => Some(Element::Batch(rows)),
                Element::Watermark(watermark) => playing.watermark.update(sender, watermark).map(Element::Watermark),
            };
            if let Some(element) = element {
                let mut output = Vec::new();
                playing.chain.on_element(element, &mut output)?;
                self.hand_on(stage, thread, output)?;
            }
        }
    }

    fn hand_on(&mut self, from: usize, thread: usize, output: Output) -> Result<()> {
        if let Some(sink) = self.stages.stages[from].sink {
            let rows = output.iter().filter_map(|element| match element {
                Element::Batch(rows) => Some((sink, rows.clone())),
                Element::Watermark(_) => None,
            });
            self.received.extend(rows);
        }
        for (place, stage) in self.stages.stages.iter().enumerate() {
            match &stage.input {
                StageInput::Same(input) if *input == from => {
                    self.threads[thread][place].inbox.extend(output.iter().map(|element| (0, element.clone())));
                }
                StageInput::Exchanged { stage: input, keys } if *input == from => {
                    for element in &output {
                        exchange(&mut self.threads, place, thread, element, keys)?;
                    }
                }
                StageInput::Source(_) | StageInput::Same(_) | StageInput::Exchanged { .. } => {}
            }
        }
        Ok(())
    }

    /// A xorshift: enough to vary schedules, and the same everywhere.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn source_of(stage: &Stage) -> Option<usize> {
    match stage.input {
        StageInput::Source(source) => Some(source),
        StageInput::Same(_) | StageInput::Exchanged { .. } => None,
    }
}

fn exchange(
    threads: &mut [Vec<Playing>],
    stage: usize,
    sender: usize,
    element: &Element,
    keys: &[usize],
) -> Result<()> {
    let count = threads.len();
    match element {
        Element::Watermark(watermark) => {
            for thread in threads {
                thread[stage].inbox.push_back((sender, Element::Watermark(*watermark)));
            }
        }
        Element::Batch(rows) => {
            let columns: Vec<_> = keys.iter().map(|key| rows.column(*key).clone()).collect();
            let mut hashes = Vec::new();
            hash_rows(&columns, rows.num_rows(), &mut hashes);
            for (number, thread) in threads.iter_mut().enumerate() {
                let owned = |row: &u32| thread_of(key_group(hashes[*row as usize]), count) == number;
                let places: UInt32Array = (0..rows.num_rows() as u32).filter(owned).collect::<Vec<_>>().into();
                if !places.is_empty() {
                    let taken = take_record_batch(rows, &places).map_err(|error| internal("driver", error))?;
                    thread[stage].inbox.push_back((sender, Element::Batch(taken)));
                }
            }
        }
    }
    Ok(())
}
