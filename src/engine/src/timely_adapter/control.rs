//! Announces checkpoints to all threads, in-band: thread 0 puts them at an epoch that no thread can have entered.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidemill_model::control::{AfterCheckpoint, EngineEvent};
use tidemill_model::{CheckpointId, Epoch};
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, Stream};

use super::clock::{Announcement, Turn};
use super::exchange::ByKey;
use super::message::Message;
use super::{Builder, Thread};

const PAUSE: Duration = Duration::from_millis(5);

/// Checkpoints asked for, on their way from the process to thread 0.
#[derive(Debug, Default)]
pub struct Requests(Mutex<VecDeque<(CheckpointId, AfterCheckpoint)>>);

impl Requests {
    pub fn push(&self, checkpoint: CheckpointId, then: AfterCheckpoint) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((checkpoint, then));
    }

    fn pop(&self) -> Option<(CheckpointId, AfterCheckpoint)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The stream that is returned carries nothing; its frontier says that announcements have arrived.
pub fn build<'scope>(scope: Scope<'scope, u64>, thread: Thread) -> Stream<'scope, u64, Message> {
    let announcer = thread.clone();
    let announcements = source::<_, Builder, _, _>(scope, "announce", move |capability, info| {
        let activator = announcer.activator(scope, info.address.clone());
        // Only one thread announces; the others let go of the stream at once.
        let mut capability = (announcer.index() == 0).then_some(capability);
        move |output| {
            let Some(held) = &mut capability else { return };
            let stop = match announcer.turn(Instant::now()) {
                Turn::Read { epoch } | Turn::Wait { epoch } => {
                    held.downgrade(&epoch);
                    if let Some((checkpoint, then)) = announcer.requests().pop() {
                        let announcement = Announcement::sent_at(epoch, checkpoint, then);
                        let mut message = Message::Announcement { announcement, copies: announcer.peers() as u32 };
                        output.session_with_builder(held).give_container(&mut message);
                        announcer.event(EngineEvent::CheckpointAt { id: checkpoint, epoch: Epoch(announcement.epoch) });
                    }
                    false
                }
                Turn::Stop { .. } => true,
            };
            if stop {
                capability = None;
            } else {
                activator.activate_after(PAUSE);
            }
        }
    });
    let pact = DistributorPact(move |peers| ByKey::new(Vec::new(), peers));
    announcements.unary_frontier::<Builder, _, _, _>(pact, "hear", move |_capability, _info| {
        move |(input, _frontier), _output| {
            input.for_each(|_capability, message| {
                if let Message::Announcement { announcement, .. } = message {
                    thread.announce(*announcement);
                }
            });
        }
    })
}
