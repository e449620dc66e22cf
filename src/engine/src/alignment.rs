//! How far the sources of an alignment group have come, on all threads, and how far one may go. Pure.

use crate::element::Watermark;

/// What is known on one thread of a group.
#[derive(Clone, Debug)]
pub struct GroupTime {
    /// What the threads have told. One that has not told anything is waited for.
    threads: Vec<Watermark>,
}

impl GroupTime {
    pub fn new(threads: usize) -> Self {
        Self { threads: vec![Watermark::At(i64::MIN); threads] }
    }

    pub fn tell(&mut self, thread: usize, watermark: Watermark) {
        self.threads[thread] = watermark;
    }

    /// The watermark that no split may be beyond that may be this far ahead of the others.
    pub fn limit(&self, max_drift_ms: u64) -> i64 {
        match least(self.threads.iter().copied()) {
            Watermark::At(time) => time.saturating_add_unsigned(max_drift_ms),
            Watermark::Idle => i64::MAX,
        }
    }
}

/// How far they have come together: the idle ones are not waited for.
pub fn least(watermarks: impl Iterator<Item = Watermark>) -> Watermark {
    let active = watermarks.filter_map(|watermark| match watermark {
        Watermark::At(time) => Some(time),
        Watermark::Idle => None,
    });
    active.min().map_or(Watermark::Idle, Watermark::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_further_ahead_of_the_last_than_the_drift() {
        let mut group = GroupTime::new(3);
        group.tell(0, Watermark::At(100));
        group.tell(1, Watermark::At(50));
        assert!(group.limit(30) < 0, "the third thread has not been heard of");
        group.tell(2, Watermark::At(70));
        assert_eq!(group.limit(30), 80);
        group.tell(1, Watermark::Idle);
        assert_eq!(group.limit(30), 100);
        group.tell(2, Watermark::END);
        assert_eq!(group.limit(30), 130);
    }

    #[test]
    fn nothing_is_waited_for_when_all_are_idle_or_at_their_ends() {
        let mut group = GroupTime::new(2);
        group.tell(0, Watermark::Idle);
        group.tell(1, Watermark::Idle);
        assert_eq!(group.limit(0), i64::MAX);
        group.tell(1, Watermark::END);
        assert_eq!(group.limit(5), i64::MAX);
    }
}
