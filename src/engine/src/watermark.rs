//! Minima of watermarks. Pure bookkeeping: event time of an input is that of its slowest active part.

use crate::element::Watermark;

/// Combines the watermarks of several senders into one that never goes back.
#[derive(Clone, Debug)]
pub struct CombinedWatermark {
    senders: Vec<Option<Watermark>>,
    combined: Option<Watermark>,
}

impl CombinedWatermark {
    pub fn new(senders: usize) -> Self {
        Self { senders: vec![None; senders], combined: None }
    }

    /// Takes a sender's watermark. Returns the combined one if it moved.
    pub fn update(&mut self, sender: usize, watermark: Watermark) -> Option<Watermark> {
        self.senders[sender] = Some(watermark);
        let next = combine(&self.senders)?;
        if self.combined.is_some_and(|combined| !is_later(combined, next)) {
            return None;
        }
        self.combined = Some(next);
        Some(next)
    }
}

/// The least of the active senders' watermarks. None while a sender has not been heard of. Idle when all are idle;
/// finished senders do not keep idle ones from being idle.
fn combine(senders: &[Option<Watermark>]) -> Option<Watermark> {
    let mut least = None;
    let mut idle = false;
    for sender in senders {
        match (*sender)? {
            Watermark::Idle => idle = true,
            Watermark::At(time) => least = Some(least.map_or(time, |least: i64| least.min(time))),
        }
    }
    match least {
        Some(i64::MAX) if idle => Some(Watermark::Idle),
        Some(time) => Some(Watermark::At(time)),
        None => Some(Watermark::Idle),
    }
}

fn is_later(from: Watermark, to: Watermark) -> bool {
    match (from, to) {
        (Watermark::At(from), Watermark::At(to)) => to > from,
        (Watermark::Idle, Watermark::Idle) => false,
        (Watermark::At(_), Watermark::Idle) | (Watermark::Idle, Watermark::At(_)) => true,
    }
}

/// The watermarks of the splits that one source reader reads.
#[derive(Clone, Debug)]
pub struct SplitWatermarks {
    splits: Vec<SplitWatermark>,
    idle_timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct SplitWatermark {
    at: Option<i64>,
    last_record_ms: u64,
}

impl SplitWatermarks {
    /// `restored` has each split's watermark of the checkpoint, if it had one.
    pub fn new(restored: Vec<Option<i64>>, idle_timeout_ms: Option<u64>, now_ms: u64) -> Self {
        let splits = restored.into_iter().map(|at| SplitWatermark { at, last_record_ms: now_ms }).collect();
        Self { splits, idle_timeout_ms }
    }

    /// A split had rows whose highest watermark expression is `at` (none if all were NULL).
    pub fn observe(&mut self, split: usize, at: Option<i64>, now_ms: u64) {
        let split = &mut self.splits[split];
        split.last_record_ms = now_ms;
        split.at = split.at.max(at);
    }

    pub fn of_split(&self, split: usize) -> Option<i64> {
        self.splits[split].at
    }

    /// What the reader says downstream. None while an active split has not had a row yet.
    pub fn combined(&self, now_ms: u64) -> Option<Watermark> {
        let mut least = i64::MAX;
        let mut active = 0;
        for split in &self.splits {
            let silent_ms = now_ms.saturating_sub(split.last_record_ms);
            if self.idle_timeout_ms.is_some_and(|timeout| silent_ms >= timeout) {
                continue;
            }
            active += 1;
            least = least.min(split.at?);
        }
        Some(if active == 0 { Watermark::Idle } else { Watermark::At(least) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Watermark::{At, Idle};

    #[test]
    fn the_slowest_sender_decides() {
        let mut combined = CombinedWatermark::new(2);
        assert_eq!(combined.update(0, At(10)), None, "the other sender has not spoken");
        assert_eq!(combined.update(1, At(5)), Some(At(5)));
        assert_eq!(combined.update(0, At(20)), None);
        assert_eq!(combined.update(1, At(15)), Some(At(15)));
    }

    #[test]
    fn an_idle_sender_does_not_hold_back_and_time_never_goes_back() {
        let mut combined = CombinedWatermark::new(2);
        combined.update(0, At(5));
        assert_eq!(combined.update(1, Idle), Some(At(5)));
        assert_eq!(combined.update(0, At(30)), Some(At(30)));
        assert_eq!(combined.update(1, At(7)), None, "it is late now");
    }

    #[test]
    fn the_end_comes_when_every_sender_has_ended() {
        let mut combined = CombinedWatermark::new(2);
        combined.update(0, Watermark::END);
        assert_eq!(combined.update(1, Idle), Some(Idle), "an idle input may still wake up");
        assert_eq!(combined.update(1, Watermark::END), Some(Watermark::END));
    }

    #[test]
    fn a_silent_split_holds_back_until_the_idle_timeout() {
        let mut splits = SplitWatermarks::new(vec![None, Some(3)], Some(1_000), 0);
        assert_eq!(splits.combined(0), None);
        splits.observe(0, Some(10), 500);
        assert_eq!(splits.combined(500), Some(At(3)));
        assert_eq!(splits.combined(1_100), Some(At(10)));
        assert_eq!(splits.combined(1_600), Some(Idle));
        assert_eq!(SplitWatermarks::new(vec![], None, 0).combined(0), Some(Idle));
    }
}
