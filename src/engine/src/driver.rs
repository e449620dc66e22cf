//! Runs a plan's operators on one thread, deterministically: no clock, no sockets, no timely. For tests, and for trying
//! a plan out. Several engine threads are played by turns in an order that the caller's seed decides.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidemill_model::key_groups::{KeyGroupRange, key_group, thread_of};
use tidemill_plan::StreamPlan;
use tidemill_plan::clock::set_now_ms;

use crate::connector::Result;
use crate::element::{Element, Watermark};
use crate::hash::hash_rows;
use crate::operator::{Capture, Chain, Output, RestoredState, internal};
use crate::outside::Outside;
use crate::stages::{Stage, Stages, cut};
use crate::watermark::CombinedWatermark;

/// A plan on `parallelism` played threads.
pub struct Driver {
    stages: Stages,
    threads: Vec<Vec<Playing>>,
    /// What each sink received, by the sink's place in the plan.
    pub received: Vec<(usize, RecordBatch)>,
    /// The machine's time that operators and expressions are told, milliseconds since 1970.
    pub now_ms: i64,
    random: u64,
}

/// One stage on one thread.
struct Playing {
    chain: Chain,
    first_senders: Vec<usize>,
    watermark: CombinedWatermark,
    inbox: VecDeque<Delivery>,
}

struct Delivery {
    /// The stage's input, and the sender among that input's.
    input: usize,
    sender: usize,
    element: Element,
}

/// The state of all stateful operators on all threads, at the end of an epoch.
pub type Snapshot = Vec<Capture>;

impl Driver {
    /// `seed` decides the order in which stages and threads take turns.
    pub fn new(plan: &StreamPlan, parallelism: usize, seed: u64) -> Result<Self> {
        Self::within(plan, parallelism, seed, &Outside::default())
    }

    /// Likewise, for a plan that looks up in tables or calls functions of the user's. Connectors are of no concern.
    pub fn within(plan: &StreamPlan, parallelism: usize, seed: u64, outside: &Outside) -> Result<Self> {
        let stages = cut(plan, parallelism).map_err(|error| internal("plan", error))?;
        let mut threads = Vec::with_capacity(parallelism);
        for thread in 0..parallelism {
            let owned = KeyGroupRange::of_thread(thread, parallelism);
            let mut playing = Vec::with_capacity(stages.stages.len());
            for stage in &stages.stages {
                let chain = stage.chain(plan, owned, outside).map_err(|error| internal("plan", error))?;
                let mut senders = 0;
                let mut first_senders = Vec::with_capacity(stage.inputs.len());
                for input in &stage.inputs {
                    first_senders.push(senders);
                    senders += if input.keys().is_some() { parallelism } else { 1 };
                }
                let watermark = CombinedWatermark::new(senders);
                playing.push(Playing { chain, first_senders, watermark, inbox: VecDeque::new() });
            }
            threads.push(playing);
        }
        Ok(Self { stages, threads, received: Vec::new(), now_ms: 0, random: seed | 1 })
    }

    /// Takes a snapshot back, before anything else.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut states: BTreeMap<&str, RestoredState> = BTreeMap::new();
        for captured in snapshot {
            states.entry(&captured.operator).or_default().add(captured.rows.clone(), captured.watermark);
        }
        for playing in self.threads.iter_mut().flatten() {
            playing.chain.restore(|uid| states.get(uid))?;
        }
        Ok(())
    }

    /// Something that the source at `source` of the plan reads on `thread`.
    pub fn feed(&mut self, source: usize, thread: usize, element: Element) -> Result<()> {
        set_now_ms(self.now_ms);
        let stage = self.stages.stages.iter().position(|stage| stage.source() == Some(source));
        let stage = stage.ok_or_else(|| internal("driver", format!("no source at {source}")))?;
        let mut output = Vec::new();
        self.threads[thread][stage].chain.on_element(0, element, &mut output)?;
        self.hand_on(stage, thread, output)
    }

    /// Ends the epoch everywhere: what is under way arrives, in some order.
    pub fn end_epoch(&mut self) -> Result<()> {
        set_now_ms(self.now_ms);
        for stage in 0..self.stages.stages.len() {
            self.drain(stage)?;
            for thread in 0..self.threads.len() {
                let mut output = Vec::new();
                self.threads[thread][stage].chain.on_epoch_end(self.now_ms, &mut output)?;
                self.hand_on(stage, thread, output)?;
            }
        }
        Ok(())
    }

    /// Ends the epoch, then tells `watermark` as read by every thread of every source, then ends another epoch.
    pub fn watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.end_epoch()?;
        let sources: Vec<usize> = self.stages.stages.iter().filter_map(Stage::source).collect();
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
            snapshot.extend(playing.chain.capture()?);
        }
        Ok(snapshot)
    }

    /// Rows dropped for lateness.
    pub fn late_rows(&self) -> u64 {
        let late = self.threads.iter().flatten().flat_map(|playing| playing.chain.late_rows());
        late.map(|(_, rows)| rows).sum()
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
            let Some(Delivery { input, sender, element }) = playing.inbox.pop_front() else { continue };
            let sender = playing.first_senders[input] + sender;
            let elements: Vec<Element> = match element {
                Element::Batch(rows) => vec![Element::Batch(rows)],
                Element::Watermark(watermark) => {
                    playing.watermark.update(sender, watermark).map(Element::Watermark).collect()
                }
            };
            let mut output = Vec::new();
            for element in elements {
                playing.chain.on_element(input, element, &mut output)?;
            }
            self.hand_on(stage, thread, output)?;
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
            for (input, from_stage) in stage.inputs.iter().enumerate().filter(|(_, input)| input.stage() == Some(from))
            {
                for element in &output {
                    match from_stage.keys() {
                        None => {
                            let delivery = Delivery { input, sender: 0, element: element.clone() };
                            self.threads[thread][place].inbox.push_back(delivery);
                        }
                        Some(keys) => exchange(&mut self.threads, (place, input), thread, element, keys)?,
                    }
                }
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

fn exchange(
    threads: &mut [Vec<Playing>],
    (stage, input): (usize, usize),
    sender: usize,
    element: &Element,
    keys: &[usize],
) -> Result<()> {
    let count = threads.len();
    match element {
        Element::Watermark(watermark) => {
            for thread in threads {
                thread[stage].inbox.push_back(Delivery { input, sender, element: Element::Watermark(*watermark) });
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
                    thread[stage].inbox.push_back(Delivery { input, sender, element: Element::Batch(taken) });
                }
            }
        }
    }
    Ok(())
}
