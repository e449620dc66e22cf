//! Hands rows to a sink's writer on one engine thread.

use std::time::Duration;

use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use super::aligner::{Aligner, Order, Step, Ticks};
use super::message::Message;
use super::{Builder, Thread};
use crate::checkpoint::Part;
use crate::connector::{Result, SinkWriter};

/// How soon a writer that is not ready is asked again.
const PAUSE: Duration = Duration::from_millis(2);
/// How often a writer without rows may look after its own affairs.
const UPKEEP: Duration = Duration::from_millis(100);

/// One sink on one thread.
pub struct SinkTask {
    pub uid: String,
    /// The sink's place among the plan's sinks.
    pub place: usize,
    pub slot: u32,
    pub writer: Box<dyn SinkWriter>,
}

/// The stream that is returned carries nothing; its frontier is how far the sink has come.
pub fn build<'scope>(
    input: Stream<'scope, u64, Message>,
    task: SinkTask,
    thread: Thread,
) -> Stream<'scope, u64, Message> {
    let scope = input.scope();
    let name = task.uid.clone();
    let mut running = Running { task, aligner: Aligner::new(Order::OneSender, Ticks::Unwanted), thread };
    input.unary_frontier::<Builder, _, _, _>(Pipeline, &name, move |_capability, info| {
        let activator = running.thread.activator(scope, info.address.clone());
        move |(input, frontier), _output| {
            input.for_each(|capability, message| {
                let message = std::mem::take(message);
                if let Some(epoch) = capability.least().copied() {
                    running.aligner.offer(epoch, 0, message, || capability.delayed(&epoch, 0));
                }
            });
            let frontier = frontier.frontier().as_option().copied();
            if running.thread.has_failed() {
                return;
            }
            match running.run(frontier) {
                Ok(Outcome::Waiting) => activator.activate_after(PAUSE),
                // Once no more rows can come, nothing keeps this operator alive.
                Ok(Outcome::CaughtUp) if frontier.is_some() => activator.activate_after(UPKEEP),
                Ok(Outcome::CaughtUp) => {}
                Err(problem) => running.thread.fail(problem),
            }
        }
    })
}

enum Outcome {
    CaughtUp,
    /// The writer has had enough for now.
    Waiting,
}

struct Running {
    task: SinkTask,
    aligner: Aligner<Capability<u64>>,
    thread: Thread,
}

impl Running {
    fn run(&mut self, frontier: Option<u64>) -> Result<Outcome> {
        let outcome = loop {
            if !self.task.writer.ready()? || self.thread.is_staging_full() {
                break Outcome::Waiting;
            }
            let Some(step) = self.aligner.next(frontier, |epoch| self.thread.next_checkpoint(epoch)) else {
                break Outcome::CaughtUp;
            };
            match step {
                Step::Receive { message: Message::Batch(batch), .. } => {
                    self.task.writer.write(&batch.rows)?;
                    if let Some(bytes) = self.task.writer.take_staged() {
                        self.thread.part(Part::Chunk { sink: self.task.uid.clone(), slot: self.task.slot, bytes });
                    }
                }
                Step::Receive { message: Message::Watermark { watermark, .. }, .. } => {
                    self.task.writer.watermark(watermark);
                }
                Step::Receive { message: Message::Empty | Message::Announcement { .. }, .. } => {}
                Step::EndEpoch { epoch } => {
                    self.prepare(epoch)?;
                    self.aligner.ended();
                }
            }
        };
        self.thread.board().sinks[self.task.place].stats = self.task.writer.stats();
        Ok(outcome)
    }

    fn prepare(&mut self, epoch: u64) -> Result<()> {
        let Some(announcement) = self.thread.checkpoint_at(epoch) else { return Ok(()) };
        let prepared = self.task.writer.prepare(announcement.checkpoint)?;
        self.thread.part(Part::Prepared {
            checkpoint: announcement.checkpoint,
            sink: self.task.uid.clone(),
            slot: self.task.slot,
            prepared,
        });
        Ok(())
    }
}
