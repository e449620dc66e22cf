//! Minima of watermarks. Pure bookkeeping: event time of an input is that of its slowest active part.

use crate::element::Watermark;

/// Combines the watermarks of several senders into one that never goes back.
///
/// A sender that wakes up behind what has been told does not count until it has caught up, as in Flink: its rows are late
/// and hold nobody back.
#[derive(Clone, Debug)]
pub struct CombinedWatermark {
    senders: Vec<Sender>,
    /// What has been told.
    reached: i64,
    is_idle: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    at: i64,
    is_idle: bool,
    /// Whether it counts: it has not been idle, or has caught up since.
    is_aligned: bool,
}

impl CombinedWatermark {
    pub fn new(senders: usize) -> Self {
        let sender = Sender { at: i64::MIN, is_idle: false, is_aligned: true };
        Self { senders: vec![sender; senders], reached: i64::MIN, is_idle: false }
    }

    /// Takes a sender's watermark. Returns what is to be told of the combined one, in order: at most how far it has come,
    /// and that it is idle.
    pub fn update(&mut self, sender: usize, watermark: Watermark) -> impl Iterator<Item = Watermark> + use<> {
        let reached = self.reached;
        let held_back = self.senders[sender].at == reached;
        match watermark {
            Watermark::At(time) => self.senders[sender].advance(time, reached),
            Watermark::Idle => {
                self.senders[sender].is_idle = true;
                self.senders[sender].is_aligned = false;
            }
        }
        let was_idle = self.is_idle;
        self.is_idle = self.senders.iter().all(Sender::is_quiet) && !self.senders.iter().all(Sender::has_ended);
        let next = match self.is_idle {
            // The last that was waited for is quiet: time is where it has come for any.
            true if held_back => self.senders.iter().filter(|sender| !sender.has_ended()).map(|sender| sender.at).max(),
            true => None,
            false => self.senders.iter().filter(|sender| sender.is_aligned).map(|sender| sender.at).min(),
        };
        self.reached = next.map_or(reached, |next| next.max(reached));
        let has_woken = was_idle && !self.is_idle && self.reached > i64::MIN;
        let at = (self.reached > reached || has_woken).then_some(Watermark::At(self.reached));
        let idle = (self.is_idle && !was_idle).then_some(Watermark::Idle);
        at.into_iter().chain(idle)
    }
}

impl Sender {
    fn advance(&mut self, time: i64, reached: i64) {
        self.is_idle = false;
        self.at = self.at.max(time);
        self.is_aligned |= self.at >= reached;
    }

    fn has_ended(&self) -> bool {
        self.at == i64::MAX
    }

    /// Whether nothing need be waited for. One that has ended does not keep others from being idle.
    fn is_quiet(&self) -> bool {
        self.is_idle || self.has_ended()
    }
}

/// The watermarks of the splits that one source reader reads.
#[derive(Clone, Debug)]
pub struct SplitWatermarks {
    splits: Vec<SplitWatermark>,
    rules: SplitRules,
    reached: i64,
    said: Option<Watermark>,
}

/// What the watermark of a split goes by besides its rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct SplitRules {
    /// A split without rows for so long is not waited for.
    pub idle_timeout_ms: Option<u64>,
    /// It is never further than this beyond the machine's time.
    pub max_future_ms: Option<u64>,
    /// Splits are read one after the other: those that have not begun do not count.
    pub reads_in_turn: bool,
}

#[derive(Clone, Copy, Debug)]
struct SplitWatermark {
    at: Option<i64>,
    last_record_ms: u64,
    has_begun: bool,
    has_ended: bool,
}

impl SplitWatermarks {
    /// For no splits yet.
    pub fn new(rules: SplitRules) -> Self {
        Self { splits: Vec::new(), rules, reached: i64::MIN, said: None }
    }

    /// One more split; `restored` is its watermark of the checkpoint, if it had one.
    pub fn add(&mut self, restored: Option<i64>, now_ms: u64) {
        let has_begun = !self.rules.reads_in_turn;
        self.splits.push(SplitWatermark { at: restored, last_record_ms: now_ms, has_begun, has_ended: false });
    }

    /// A split has been read to its end.
    pub fn end_split(&mut self, split: usize) {
        self.splits[split].has_ended = true;
    }

    /// A split had rows whose highest watermark expression is `at` (none if all were NULL).
    pub fn observe(&mut self, split: usize, at: Option<i64>, now_ms: u64) {
        let split = &mut self.splits[split];
        split.last_record_ms = now_ms;
        split.has_begun = true;
        // The end of all time is said by the end of the input, not by a row.
        let most = self.rules.max_future_ms.map_or(i64::MAX, |most| now_ms.saturating_add(most) as i64);
        split.at = split.at.max(at.map(|at| at.min(most).min(i64::MAX - 1)));
    }

    /// The splits that have come further than this and have to wait, by their places; empty if none has. Waiting makes
    /// none idle.
    pub fn hold_beyond(&mut self, limit: i64, now_ms: u64) -> Vec<bool> {
        let is_ahead = |split: &SplitWatermark| split.at.is_some_and(|at| at > limit);
        if !self.splits.iter().any(is_ahead) {
            return Vec::new();
        }
        let hold = |split: &mut SplitWatermark| {
            let is_held = is_ahead(split);
            if is_held {
                split.last_record_ms = now_ms;
            }
            is_held
        };
        self.splits.iter_mut().map(hold).collect()
    }

    /// Nothing was read for so long because nothing was asked for: nobody becomes idle by that.
    pub fn waited(&mut self, ms: u64) {
        self.splits.iter_mut().for_each(|split| split.last_record_ms += ms);
    }

    pub fn of_split(&self, split: usize) -> Option<i64> {
        self.splits[split].at
    }

    /// What the reader has said last.
    pub fn said(&self) -> Option<Watermark> {
        self.said
    }

    /// What the reader has to say downstream, if it is something new: how far its slowest active split has come.
    pub fn next(&mut self, now_ms: u64) -> Option<Watermark> {
        let next = match self.combined(now_ms)? {
            Watermark::At(time) => {
                self.reached = self.reached.max(time);
                Watermark::At(self.reached)
            }
            Watermark::Idle => Watermark::Idle,
        };
        self.say(next)
    }

    /// All splits have been read to their ends.
    pub fn end(&mut self) -> Option<Watermark> {
        self.say(Watermark::END)
    }

    fn say(&mut self, next: Watermark) -> Option<Watermark> {
        (self.said.replace(next) != Some(next)).then_some(next)
    }

    /// None while an active split has not had a row yet, or none has begun.
    fn combined(&self, now_ms: u64) -> Option<Watermark> {
        let mut least = i64::MAX;
        let mut active = 0;
        for split in self.splits.iter().filter(|split| split.has_begun && !split.has_ended) {
            let silent_ms = now_ms.saturating_sub(split.last_record_ms);
            if self.rules.idle_timeout_ms.is_some_and(|timeout| silent_ms >= timeout) {
                continue;
            }
            active += 1;
            least = least.min(split.at?);
        }
        match active {
            0 if self.splits.iter().any(|split| !split.has_begun && !split.has_ended) => None,
            0 => Some(Watermark::Idle),
            _ => Some(Watermark::At(least)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Watermark::{At, Idle};

    /// What the combined watermark of so many senders says to each of these.
    fn check(senders: usize, told: &[(usize, Watermark, &[Watermark])]) {
        let mut combined = CombinedWatermark::new(senders);
        for (step, (sender, watermark, expected)) in told.iter().enumerate() {
            assert_eq!(combined.update(*sender, *watermark).collect::<Vec<_>>(), *expected, "step {step}");
        }
    }

    #[test]
    fn the_slowest_sender_decides() {
        // The second has not spoken at first.
        check(2, &[(0, At(10), &[]), (1, At(5), &[At(5)]), (0, At(20), &[]), (1, At(15), &[At(15)])]);
    }

    #[test]
    fn an_idle_sender_does_not_hold_back() {
        check(2, &[(0, At(5), &[]), (1, Idle, &[At(5)]), (0, At(30), &[At(30)])]);
    }

    #[test]
    fn a_sender_that_wakes_up_with_old_times_holds_nobody_back_until_it_has_caught_up() {
        let asleep: [(usize, Watermark, &[Watermark]); 3] =
            [(0, At(5), &[]), (1, Idle, &[At(5)]), (0, At(30), &[At(30)])];
        let awake: [(usize, Watermark, &[Watermark]); 5] =
            [(1, At(7), &[]), (0, At(40), &[At(40)]), (1, At(40), &[]), (0, At(50), &[]), (1, At(45), &[At(45)])];
        check(2, &[&asleep[..], &awake[..]].concat());
    }

    #[test]
    fn time_never_goes_back_when_all_were_idle() {
        check(
            1,
            &[
                (0, At(30), &[At(30)]),
                (0, Idle, &[Idle]),
                (0, Idle, &[]),
                (0, At(7), &[At(30)]),
                (0, At(31), &[At(31)]),
            ],
        );
        check(1, &[(0, Idle, &[Idle]), (0, At(7), &[At(7)])]);
    }

    #[test]
    fn when_the_last_falls_idle_time_is_where_any_has_come() {
        check(2, &[(0, At(100), &[]), (1, At(50), &[At(50)]), (0, Idle, &[]), (1, Idle, &[At(100), Idle])]);
        // One that was not waited for changes nothing.
        let told: [(usize, Watermark, &[Watermark]); 5] =
            [(0, At(100), &[]), (1, Idle, &[At(100)]), (0, Idle, &[Idle]), (1, At(20), &[At(100)]), (1, Idle, &[Idle])];
        check(2, &told);
    }

    #[test]
    fn the_end_comes_when_every_sender_has_ended() {
        let end = Watermark::END;
        // An idle input may still wake up.
        check(
            2,
            &[
                (0, end, &[]),
                (1, At(5), &[At(5)]),
                (1, Idle, &[Idle]),
                (1, At(6), &[At(6)]),
                (1, end, &[end]),
                (0, end, &[]),
            ],
        );
    }

    fn idle_after(timeout_ms: u64) -> SplitRules {
        SplitRules { idle_timeout_ms: Some(timeout_ms), ..SplitRules::default() }
    }

    fn of_splits(restored: &[Option<i64>], rules: SplitRules) -> SplitWatermarks {
        let mut splits = SplitWatermarks::new(rules);
        restored.iter().for_each(|at| splits.add(*at, 0));
        splits
    }

    #[test]
    fn splits_that_are_read_in_turn_count_from_their_first_row_to_their_end() {
        let rules = SplitRules { reads_in_turn: true, ..SplitRules::default() };
        let mut splits = of_splits(&[Some(3), None, None], rules);
        assert_eq!(splits.next(0), None, "none has begun, whatever a checkpoint says");
        splits.observe(0, Some(10), 0);
        assert_eq!(splits.next(0), Some(At(10)));
        splits.end_split(0);
        assert_eq!(splits.next(0), None, "the next one will begin");
        splits.observe(1, Some(20), 0);
        splits.end_split(1);
        splits.end_split(2);
        assert_eq!(splits.next(0), Some(Idle), "nothing is left");
        splits.add(None, 0);
        assert_eq!(splits.next(0), None);
        splits.observe(3, Some(30), 0);
        assert_eq!(splits.next(0), Some(At(30)));
    }

    #[test]
    fn a_split_that_has_ended_holds_the_others_back_no_more() {
        let mut splits = of_splits(&[Some(3), Some(5)], SplitRules::default());
        assert_eq!(splits.next(0), Some(At(3)));
        splits.end_split(0);
        assert_eq!(splits.next(0), Some(At(5)));
    }

    #[test]
    fn a_silent_split_holds_back_until_the_idle_timeout() {
        let mut splits = of_splits(&[None, Some(3)], idle_after(1_000));
        assert_eq!(splits.next(0), None, "a split has not had a row");
        splits.observe(0, Some(10), 500);
        assert_eq!(splits.next(500), Some(At(3)));
        assert_eq!(splits.next(600), None, "nothing is new");
        assert_eq!(splits.next(1_100), Some(At(10)));
        assert_eq!(splits.next(1_600), Some(Idle));
        assert_eq!(splits.next(9_600), None, "nothing is new");
        assert_eq!(of_splits(&[], SplitRules::default()).next(0), Some(Idle));
    }

    #[test]
    fn a_split_that_wakes_up_with_old_rows_does_not_bring_time_back() {
        let mut splits = of_splits(&[None, None], idle_after(1_000));
        splits.observe(0, Some(50), 900);
        assert_eq!(splits.next(1_000), Some(At(50)), "the second is idle");
        splits.observe(1, Some(20), 1_100);
        assert_eq!((splits.next(1_100), splits.of_split(1)), (None, Some(20)));
        splits.observe(0, Some(70), 1_200);
        assert_eq!(splits.next(1_200), None, "the second holds back as it is");
        assert_eq!(splits.next(2_150), Some(At(70)), "it is idle again");
        assert_eq!(splits.next(9_000), Some(Idle));
        splits.observe(1, Some(30), 9_100);
        assert_eq!(splits.next(9_100), Some(At(70)));
    }

    #[test]
    fn who_is_not_asked_does_not_become_idle() {
        let mut splits = of_splits(&[Some(3)], idle_after(1_000));
        assert_eq!(splits.next(900), Some(At(3)));
        splits.waited(5_000);
        assert_eq!(splits.next(5_900), None);
        assert_eq!(splits.next(6_000), Some(Idle));
    }

    #[test]
    fn a_split_that_is_ahead_is_held_and_not_idle() {
        let mut splits = of_splits(&[Some(10), Some(90), None], idle_after(1_000));
        assert_eq!(splits.hold_beyond(90, 900), [false; 0], "none is beyond");
        assert_eq!(splits.hold_beyond(50, 900), [false, true, false]);
        assert_eq!(splits.next(1_500), Some(At(90)), "the others have become idle");
        assert_eq!(splits.next(1_900), Some(Idle));
    }

    #[test]
    fn a_row_of_the_far_future_brings_time_no_further_than_allowed() {
        let rules = SplitRules { max_future_ms: Some(500), ..SplitRules::default() };
        let mut splits = of_splits(&[None], rules);
        splits.observe(0, Some(253_402_300_799_999), 10_000);
        assert_eq!(splits.next(10_000), Some(At(10_500)));
        splits.observe(0, Some(10_400), 10_800);
        assert_eq!(splits.next(10_800), None);
        splits.observe(0, Some(10_700), 10_900);
        assert_eq!(splits.next(10_900), Some(At(10_700)));
    }

    #[test]
    fn no_row_brings_the_end_of_all_time() {
        let mut splits = of_splits(&[None], SplitRules::default());
        splits.observe(0, Some(i64::MAX), 0);
        assert_eq!(splits.next(0), Some(At(i64::MAX - 1)));
        assert_eq!(splits.end(), Some(Watermark::END));
        assert_eq!(splits.end(), None);
    }
}
