//! Runs a chain of operators on what another stage sends.

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::{DistributorPact, ParallelizationContract, Pipeline};
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::{Operator, OutputBuilderSession};

use super::aligner::{Aligner, Order, Step};
use super::exchange::ByKey;
use super::message::Message;
use super::{Builder, Thread, send};
use crate::element::Element;
use crate::operator::{Chain, Result, internal};
use crate::watermark::CombinedWatermark;

/// One stage on one thread.
pub struct StageTask {
    pub stage: usize,
    pub chain: Chain,
    /// The columns of the key that rows are exchanged by; none to stay on the thread.
    pub exchange: Option<Vec<usize>>,
}

pub fn build<'scope>(
    input: Stream<'scope, u64, Message>,
    task: StageTask,
    thread: Thread,
) -> Stream<'scope, u64, Message> {
    let peers = thread.peers();
    match task.exchange.clone() {
        Some(keys) => {
            let pact = DistributorPact(move |peers| ByKey::new(keys, peers));
            connect(input, pact, Order::ManySenders, CombinedWatermark::new(peers), task, thread)
        }
        None => connect(input, Pipeline, Order::OneSender, CombinedWatermark::new(1), task, thread),
    }
}

fn connect<'scope, P: ParallelizationContract<u64, Message>>(
    input: Stream<'scope, u64, Message>,
    pact: P,
    order: Order,
    watermark: CombinedWatermark,
    task: StageTask,
    thread: Thread,
) -> Stream<'scope, u64, Message> {
    let mut running = Running { task, order, watermark, aligner: Aligner::new(order), thread };
    let name = format!("stage-{}", running.task.stage);
    input.unary_frontier::<Builder, _, _, _>(pact, &name, move |_capability, _info| {
        move |(input, frontier), output| {
            input.for_each(|capability, message| {
                let message = std::mem::take(message);
                if let Some(epoch) = capability.least().copied() {
                    running.aligner.offer(epoch, message, || capability.delayed(&epoch, 0));
                }
            });
            let frontier = frontier.frontier().as_option().copied();
            if !running.thread.has_failed()
                && let Err(problem) = running.run(frontier, output)
            {
                running.thread.fail(problem);
            }
        }
    })
}

struct Running {
    task: StageTask,
    order: Order,
    watermark: CombinedWatermark,
    aligner: Aligner<Capability<u64>>,
    thread: Thread,
}

impl Running {
    fn run(&mut self, frontier: Option<u64>, output: &mut OutputBuilderSession<'_, u64, Builder>) -> Result<()> {
        while let Some(step) = self.aligner.next(frontier, |epoch| self.thread.next_checkpoint(epoch)) {
            let mut elements = Vec::new();
            let (epoch, ended) = match step {
                Step::Receive { epoch, message } => {
                    self.receive(message, &mut elements)?;
                    (epoch, false)
                }
                Step::EndEpoch { epoch } => {
                    self.end_epoch(epoch, &mut elements)?;
                    (epoch, true)
                }
            };
            match self.aligner.capability(epoch) {
                Some(capability) => send(output, capability, elements, &self.thread),
                None if elements.is_empty() => {}
                None => return Err(internal("stage", "an operator put rows out in an epoch in which it had none")),
            }
            if ended {
                self.aligner.ended();
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: Message, elements: &mut Vec<Element>) -> Result<()> {
        match message {
            Message::Batch(batch) => self.task.chain.on_element(Element::Batch(batch.rows), elements),
            Message::Watermark { from, watermark, .. } => {
                let sender = match self.order {
                    Order::OneSender => 0,
                    Order::ManySenders => from as usize,
                };
                match self.watermark.update(sender, watermark) {
                    Some(watermark) => self.task.chain.on_element(Element::Watermark(watermark), elements),
                    None => Ok(()),
                }
            }
            Message::Empty | Message::Announcement { .. } => Ok(()),
        }
    }

    fn end_epoch(&mut self, epoch: u64, elements: &mut Vec<Element>) -> Result<()> {
        self.task.chain.on_epoch_end(elements)?;
        if let Some(announcement) = self.thread.checkpoint_at(epoch) {
            self.thread.capture_chain(&mut self.task.chain, announcement.checkpoint)?;
        }
        let mut board = self.thread.board();
        board.late_rows[self.task.stage] = self.task.chain.late_rows();
        board.state_bytes[self.task.stage] = self.task.chain.state_bytes();
        Ok(())
    }
}
