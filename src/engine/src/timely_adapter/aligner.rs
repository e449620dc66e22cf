//! Orders what an operator receives: epoch after epoch, each with its end. Pure; `C` is a permission to send at an
//! epoch, which is given back when the epoch has ended.

use std::collections::{BTreeMap, VecDeque};

use super::message::Message;

/// How an input's epochs come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From one sender, epoch after epoch: the first message of an epoch ends all before.
    OneSender,
    /// From many senders: an epoch has ended when the frontier says so, and messages of later ones are parked.
    ManySenders,
}

/// Whether the passing of epochs in which nothing came is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// The last of those that have passed is ended, too.
    Wanted,
    Unwanted,
}

#[derive(Debug)]
pub enum Step {
    /// From the stage's input with this number.
    Receive {
        epoch: u64,
        input: usize,
        message: Message,
    },
    EndEpoch {
        epoch: u64,
    },
}

#[derive(Debug)]
pub struct Aligner<C> {
    order: Order,
    ticks: Ticks,
    /// The epoch being handled; all before have ended.
    current: u64,
    parked: BTreeMap<u64, Parked<C>>,
}

#[derive(Debug)]
struct Parked<C> {
    capability: C,
    messages: VecDeque<(usize, Message)>,
}

impl<C> Aligner<C> {
    pub fn new(order: Order, ticks: Ticks) -> Self {
        Self { order, ticks, current: 0, parked: BTreeMap::new() }
    }

    pub fn offer(&mut self, epoch: u64, input: usize, message: Message, capability: impl FnOnce() -> C) {
        self.parked
            .entry(epoch)
            .or_insert_with(|| Parked { capability: capability(), messages: VecDeque::new() })
            .messages
            .push_back((input, message));
    }

    /// The epoch being handled.
    pub fn current(&self) -> u64 {
        self.current
    }

    /// What permits to send at `epoch`: there while something of the epoch was received and it has not ended.
    pub fn capability(&self, epoch: u64) -> Option<&C> {
        self.parked.get(&epoch).map(|parked| &parked.capability)
    }

    /// The next thing to handle. `frontier` is the first epoch that more messages may come for, none if no more will;
    /// `next_checkpoint(e)` is the first checkpoint epoch from `e` on: those have an end even if nothing came. After
    /// an [`Step::EndEpoch`] the caller must call [`Aligner::ended`].
    pub fn next(&mut self, frontier: Option<u64>, next_checkpoint: impl Fn(u64) -> Option<u64>) -> Option<Step> {
        let frontier = frontier.unwrap_or(u64::MAX);
        let bound = match self.order {
            Order::ManySenders => frontier,
            Order::OneSender => frontier.max(self.parked.last_key_value().map_or(0, |(epoch, _)| *epoch)),
        };
        loop {
            if let Some(parked) = self.parked.get_mut(&self.current)
                && let Some((input, message)) = parked.messages.pop_front()
            {
                return Some(Step::Receive { epoch: self.current, input, message });
            }
            if self.current >= bound {
                return None;
            }
            let checkpoint = next_checkpoint(self.current);
            let tick = (self.ticks == Ticks::Wanted && bound != u64::MAX).then(|| bound - 1);
            if self.parked.contains_key(&self.current) || [checkpoint, tick].contains(&Some(self.current)) {
                return Some(Step::EndEpoch { epoch: self.current });
            }
            let parked = self.parked.first_key_value().map(|(epoch, _)| *epoch);
            self.current = [parked, checkpoint, tick].into_iter().flatten().fold(bound, u64::min);
        }
    }

    /// The current epoch's end has been handled: what permitted to send at it is dropped.
    pub fn ended(&mut self) {
        self.parked.remove(&self.current);
        self.current += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Watermark;

    fn message(time: i64) -> Message {
        Message::Watermark { from: 0, watermark: Watermark::At(time), copies: 1 }
    }

    fn offer(aligner: &mut Aligner<()>, epoch: u64, time: i64) {
        aligner.offer(epoch, 0, message(time), || ());
    }

    /// Steps until nothing is left, as text: `3:17` for a message, `3.` for an end.
    fn steps(aligner: &mut Aligner<()>, frontier: Option<u64>, checkpoints: &[u64]) -> String {
        let mut text = Vec::new();
        let next = |from: u64| checkpoints.iter().copied().find(|epoch| *epoch >= from);
        while let Some(step) = aligner.next(frontier, next) {
            match step {
                Step::Receive { epoch, message: Message::Watermark { watermark: Watermark::At(time), .. }, .. } => {
                    text.push(format!("{epoch}:{time}"));
                }
                Step::Receive { .. } => panic!(),
                Step::EndEpoch { epoch } => {
                    text.push(format!("{epoch}."));
                    aligner.ended();
                }
            }
        }
        text.join(" ")
    }

    #[test]
    fn later_epochs_of_many_senders_wait_for_the_frontier() {
        let mut aligner = Aligner::new(Order::ManySenders, Ticks::Unwanted);
        offer(&mut aligner, 1, 10);
        offer(&mut aligner, 0, 5);
        assert_eq!(steps(&mut aligner, Some(0), &[]), "0:5");
        offer(&mut aligner, 0, 6);
        assert_eq!(steps(&mut aligner, Some(1), &[]), "0:6 0. 1:10");
        assert_eq!(steps(&mut aligner, None, &[]), "1.");
    }

    #[test]
    fn one_sender_s_next_epoch_ends_the_one_before() {
        let mut aligner = Aligner::new(Order::OneSender, Ticks::Unwanted);
        offer(&mut aligner, 0, 5);
        offer(&mut aligner, 2, 6);
        assert_eq!(steps(&mut aligner, Some(0), &[]), "0:5 0. 2:6");
    }

    #[test]
    fn a_checkpoint_epoch_ends_also_when_nothing_came() {
        let mut aligner = Aligner::new(Order::ManySenders, Ticks::Unwanted);
        offer(&mut aligner, 1, 5);
        assert_eq!(steps(&mut aligner, Some(6), &[3]), "1:5 1. 3.");
        assert_eq!(steps(&mut aligner, None, &[9]), "9.");
    }

    #[test]
    fn who_waits_for_time_hears_of_the_last_epoch_that_has_passed() {
        let mut aligner = Aligner::new(Order::ManySenders, Ticks::Wanted);
        offer(&mut aligner, 1, 5);
        assert_eq!(steps(&mut aligner, Some(6), &[]), "1:5 1. 5.");
        assert_eq!(steps(&mut aligner, Some(6), &[]), "");
        assert_eq!(steps(&mut aligner, Some(9), &[7]), "7. 8.");
        assert_eq!(steps(&mut aligner, None, &[]), "");
    }
}
