//! Runs a chain of operators on what other stages send.

use timely::dataflow::channels::pact::{DistributorPact, ParallelizationContract, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::OutputBuilderSession;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};

use super::aligner::{Aligner, Order, Step, Ticks};
use super::exchange::ByKey;
use super::message::Message;
use super::source::now_ms;
use super::{Builder, Thread, send};
use crate::connector::Result;
use crate::element::Element;
use crate::operator::{Chain, internal};
use crate::watermark::CombinedWatermark;

/// One stage on one thread.
pub struct StageTask {
    pub stage: usize,
    pub chain: Chain,
    /// For each input the columns of the key that its rows are exchanged by; none to stay on the thread.
    pub exchanges: Vec<Option<Vec<usize>>>,
}

type Held = Capability<u64>;
/// Offers the aligner what has come on one input.
type Receiver = Box<dyn FnMut(&mut Aligner<Held>)>;

pub fn build<'scope>(
    scope: Scope<'scope, u64>,
    inputs: Vec<Stream<'scope, u64, Message>>,
    task: StageTask,
    thread: Thread,
) -> Stream<'scope, u64, Message> {
    let mut builder = OperatorBuilder::new(format!("stage-{}", task.stage), scope);
    let mut receivers: Vec<Receiver> = Vec::with_capacity(inputs.len());
    let mut first_senders = Vec::with_capacity(inputs.len());
    let mut senders = 0;
    for (number, (stream, exchange)) in inputs.into_iter().zip(task.exchanges.clone()).enumerate() {
        first_senders.push(senders);
        match exchange {
            Some(keys) => {
                senders += thread.peers();
                let pact = DistributorPact(move |peers| ByKey::new(keys, peers));
                receivers.push(receiver(&mut builder, number, stream, pact));
            }
            None => {
                senders += 1;
                receivers.push(receiver(&mut builder, number, stream, Pipeline));
            }
        }
    }
    let order = if senders == 1 { Order::OneSender } else { Order::ManySenders };
    let ticks = if task.chain.waits_for_time() { Ticks::Wanted } else { Ticks::Unwanted };
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<u64, Builder>::from(output);
    let mut running = Running {
        task,
        first_senders,
        watermark: CombinedWatermark::new(senders),
        aligner: Aligner::new(order, ticks),
        held: None,
        thread,
    };
    builder.build(move |capabilities| {
        running.held = capabilities.into_iter().next().filter(|_| ticks == Ticks::Wanted);
        move |frontiers| {
            for receive in &mut receivers {
                receive(&mut running.aligner);
            }
            let frontier = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min();
            if !running.thread.has_failed()
                && let Err(problem) = running.run(frontier, &mut output.activate())
            {
                running.thread.fail(problem);
            }
        }
    });
    stream
}

fn receiver<'scope, P: ParallelizationContract<u64, Message>>(
    builder: &mut OperatorBuilder<'scope, u64>,
    number: usize,
    stream: Stream<'scope, u64, Message>,
    pact: P,
) -> Receiver {
    let mut input = builder.new_input(stream, pact);
    Box::new(move |aligner| {
        input.for_each(|capability, message| {
            let message = std::mem::take(message);
            if let Some(epoch) = capability.least().copied() {
                aligner.offer(epoch, number, message, || capability.delayed(&epoch, 0));
            }
        });
    })
}

struct Running {
    task: StageTask,
    /// The number of each input's first sender, among the senders of all.
    first_senders: Vec<usize>,
    watermark: CombinedWatermark,
    aligner: Aligner<Held>,
    /// Permits to send in epochs in which nothing came, if an operator waits for time.
    held: Option<Held>,
    thread: Thread,
}

impl Running {
    fn run(&mut self, frontier: Option<u64>, output: &mut OutputBuilderSession<'_, u64, Builder>) -> Result<()> {
        while let Some(step) = self.aligner.next(frontier, |epoch| self.thread.next_checkpoint(epoch)) {
            let mut elements = Vec::new();
            let (epoch, ended) = match step {
                Step::Receive { epoch, input, message } => {
                    self.thread.handle(epoch);
                    self.receive(input, message, &mut elements)?;
                    (epoch, false)
                }
                Step::EndEpoch { epoch } => {
                    self.thread.handle(epoch);
                    self.end_epoch(epoch, &mut elements)?;
                    (epoch, true)
                }
            };
            match (self.aligner.capability(epoch), &self.held) {
                (Some(capability), _) => send(output, capability, elements, &self.thread),
                (None, Some(held)) => send(output, &held.delayed(&epoch), elements, &self.thread),
                (None, None) if elements.is_empty() => {}
                (None, None) => {
                    return Err(internal("stage", "an operator put rows out in an epoch in which it had none"));
                }
            }
            if ended {
                self.aligner.ended();
            }
        }
        match (frontier, &mut self.held) {
            (Some(frontier), Some(held)) => held.downgrade(&self.aligner.current().min(frontier)),
            (None, held) => *held = None,
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn receive(&mut self, input: usize, message: Message, elements: &mut Vec<Element>) -> Result<()> {
        match message {
            Message::Batch(batch) => self.task.chain.on_element(input, Element::Batch(batch.rows), elements),
            Message::Watermark { from, watermark, .. } => {
                let sender = match self.task.exchanges[input] {
                    None => 0,
                    Some(_) => from as usize,
                };
                let mut told = self.watermark.update(self.first_senders[input] + sender, watermark);
                told.try_for_each(|watermark| {
                    self.task.chain.on_element(input, Element::Watermark(watermark), elements)
                })
            }
            Message::Empty | Message::Announcement { .. } => Ok(()),
        }
    }

    fn end_epoch(&mut self, epoch: u64, elements: &mut Vec<Element>) -> Result<()> {
        self.task.chain.on_epoch_end(now_ms() as i64, elements)?;
        if let Some(announcement) = self.thread.checkpoint_at(epoch) {
            self.thread.capture_chain(&mut self.task.chain, announcement.checkpoint)?;
        }
        let mut board = self.thread.board();
        board.late_rows[self.task.stage] = self.task.chain.late_rows();
        board.state_bytes[self.task.stage] = self.task.chain.state_bytes();
        Ok(())
    }
}
