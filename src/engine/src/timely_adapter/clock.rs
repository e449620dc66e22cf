//! Epochs on one engine thread: when the next one begins, and which of them are checkpoints.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidemill_model::CheckpointId;
use tidemill_model::control::AfterCheckpoint;

/// How long an epoch lasts while nothing asks for it to be shorter. It bounds the delay of results by watermarks and
/// by exchanges, and the cost of progress tracking.
const EPOCH: Duration = Duration::from_millis(100);

/// Epochs that may be under way at once. A source enters epoch `e` only when every thread is done with all epochs
/// before `e - CREDIT`; this is the back-pressure, and what makes an announcement reach everybody in time.
pub const CREDIT: u64 = 4;

/// A checkpoint will be taken at the end of `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub checkpoint: CheckpointId,
    pub epoch: u64,
    pub then: AfterCheckpoint,
}

impl Announcement {
    /// An announcement sent during epoch `now`. It travels with the data of that epoch, so every thread has it before
    /// any thread can enter the epoch it names.
    pub fn sent_at(now: u64, checkpoint: CheckpointId, then: AfterCheckpoint) -> Self {
        Self { checkpoint, epoch: now + CREDIT + 1, then }
    }
}

/// The epoch that the sources of one thread are in, and the announced checkpoints.
#[derive(Debug)]
pub struct EpochClock {
    epoch: u64,
    began: Instant,
    announced: BTreeMap<u64, Announcement>,
}

/// What a source may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Read on in this epoch.
    Read { epoch: u64 },
    /// The epoch is over, but downstream has not caught up: read nothing, ask again soon.
    Wait { epoch: u64 },
    /// The checkpoint at the end of `epoch` was the last; sources end.
    Stop { epoch: u64 },
}

impl EpochClock {
    pub fn new(now: Instant) -> Self {
        Self { epoch: 0, began: now, announced: BTreeMap::new() }
    }

    pub fn announce(&mut self, announcement: Announcement) {
        self.announced.insert(announcement.epoch, announcement);
    }

    /// The checkpoint at the end of `epoch`, if one is announced.
    pub fn checkpoint_at(&self, epoch: u64) -> Option<Announcement> {
        self.announced.get(&epoch).copied()
    }

    /// The first announced epoch after `epoch`, inclusive.
    pub fn next_checkpoint(&self, epoch: u64) -> Option<u64> {
        self.announced.range(epoch..).next().map(|(epoch, _)| *epoch)
    }

    /// Moves to the next epoch if it is time. `is_done_before(e)` says whether every thread is done with all epochs
    /// before `e`.
    pub fn turn(&mut self, now: Instant, is_done_before: impl Fn(u64) -> bool) -> Turn {
        let hurry = self.next_checkpoint(self.epoch).is_some();
        if !hurry && now.duration_since(self.began) < EPOCH {
            return Turn::Read { epoch: self.epoch };
        }
        if self.announced.get(&self.epoch).is_some_and(|announced| announced.then == AfterCheckpoint::Stop) {
            return Turn::Stop { epoch: self.epoch };
        }
        if !is_done_before((self.epoch + 1).saturating_sub(CREDIT)) {
            return Turn::Wait { epoch: self.epoch };
        }
        self.epoch += 1;
        self.began = now;
        // Announcements of epochs that all threads are done with are history.
        let done = self.epoch.saturating_sub(2 * CREDIT);
        self.announced = self.announced.split_off(&done);
        Turn::Read { epoch: self.epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn an_epoch_lasts_until_its_time_is_over() {
        let start = Instant::now();
        let mut clock = EpochClock::new(start);
        assert_eq!(clock.turn(later(start, 99), |_| true), Turn::Read { epoch: 0 });
        assert_eq!(clock.turn(later(start, 100), |_| true), Turn::Read { epoch: 1 });
        assert_eq!(clock.turn(later(start, 199), |_| true), Turn::Read { epoch: 1 });
    }

    #[test]
    fn sources_wait_for_threads_that_are_behind() {
        let start = Instant::now();
        let mut clock = EpochClock::new(start);
        for epoch in 1..=CREDIT {
            let turn = clock.turn(later(start, 100 * epoch), |before| before == 0);
            assert_eq!(turn, Turn::Read { epoch });
        }
        assert_eq!(clock.turn(later(start, 1_000), |before| before == 0), Turn::Wait { epoch: CREDIT });
        assert_eq!(clock.turn(later(start, 1_001), |before| before <= 1), Turn::Read { epoch: CREDIT + 1 });
    }

    #[test]
    fn no_thread_can_be_in_an_announced_epoch_before_all_have_heard_of_it() {
        let announcement = Announcement::sent_at(7, CheckpointId(1), AfterCheckpoint::Continue);
        // Entering the epoch needs all epochs before `epoch - CREDIT` done, the announcement's among them.
        assert!(announcement.epoch - CREDIT > 7);
    }

    #[test]
    fn an_announced_checkpoint_hurries_the_clock_and_a_stop_ends_it() {
        let start = Instant::now();
        let mut clock = EpochClock::new(start);
        clock.announce(Announcement { checkpoint: CheckpointId(1), epoch: 2, then: AfterCheckpoint::Stop });
        assert_eq!(clock.turn(start, |_| true), Turn::Read { epoch: 1 });
        assert_eq!(clock.turn(start, |_| true), Turn::Read { epoch: 2 });
        assert_eq!(clock.turn(start, |_| true), Turn::Stop { epoch: 2 });
        assert_eq!(clock.checkpoint_at(2).map(|announced| announced.checkpoint), Some(CheckpointId(1)));
    }
}
