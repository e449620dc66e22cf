//! Tells all threads how far the sources of an alignment group have come, so that those ahead can wait. It travels beside
//! the data, as announcements do.

use std::time::{Duration, Instant};

use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, Stream};

use super::clock::Turn;
use super::exchange::ByKey;
use super::message::Message;
use super::{Builder, Thread};

/// How soon a source that is ahead, or this operator, looks again.
pub const PAUSE: Duration = Duration::from_millis(5);

/// The stream that is returned carries nothing.
pub fn build<'scope>(
    scope: Scope<'scope, u64>,
    group: usize,
    interval: Duration,
    thread: Thread,
) -> Stream<'scope, u64, Message> {
    let teller = thread.clone();
    let told = source::<_, Builder, _, _>(scope, "align", move |capability, info| {
        let activator = teller.activator(scope, info.address.clone());
        let mut capability = Some(capability);
        let mut next = Instant::now();
        move |output| {
            let Some(held) = &mut capability else { return };
            let now = Instant::now();
            match teller.turn(now) {
                Turn::Read { epoch } | Turn::Wait { epoch } => {
                    held.downgrade(&epoch);
                    if now >= next {
                        next = now + interval;
                        let (from, copies) = (teller.index() as u32, teller.peers() as u32);
                        let mut message = Message::Watermark { from, watermark: teller.own_time(group), copies };
                        output.session_with_builder(held).give_container(&mut message);
                    }
                    activator.activate_after(PAUSE);
                }
                Turn::Stop { .. } => capability = None,
            }
        }
    });
    let pact = DistributorPact(move |peers| ByKey::new(Vec::new(), peers));
    told.unary_frontier::<Builder, _, _, _>(pact, "hear", move |_capability, _info| {
        move |(input, _frontier), _output| {
            input.for_each(|_capability, message| {
                if let Message::Watermark { from, watermark, .. } = message {
                    thread.hear_time(group, *from as usize, *watermark);
                }
            });
        }
    })
}
