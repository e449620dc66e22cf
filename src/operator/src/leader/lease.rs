//! Who may hold the Lease. Pure. Clocks of different machines are never compared: what counts is how long *we* have
//! seen the Lease unchanged.

use std::time::{Duration, Instant};

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Empty if it was given up.
    pub identity: String,
    /// Only compared for equality.
    pub renewed: i64,
    pub duration: Duration,
}

/// A Lease, and since when we have seen it like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    holder: Option<Holder>,
    since: Instant,
}

impl Sighting {
    /// What is seen now, given what was seen before.
    pub fn of(before: Option<Self>, holder: Option<Holder>, now: Instant) -> Self {
        match before {
            Some(before) if before.holder == holder => before,
            Some(_) | None => Self { holder, since: now },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody holds it, or its holder is silent.
    Take,
    /// It is ours.
    Renew,
    /// It is another's.
    Wait,
}

pub fn evaluate_lease(sighting: Option<&Sighting>, me: &str, now: Instant) -> Verdict {
    let Some(Sighting { holder: Some(holder), since }) = sighting else { return Verdict::Take };
    if holder.identity == me {
        Verdict::Renew
    } else if holder.identity.is_empty() || now.duration_since(*since) > holder.duration {
        Verdict::Take
    } else {
        Verdict::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn held(by: &str, renewed: i64) -> Option<Holder> {
        Some(Holder { identity: by.into(), renewed, duration: 15 * SECOND })
    }

    #[test]
    fn a_lease_that_is_missing_or_given_up_is_taken() {
        let now = Instant::now();
        for holder in [None, held("", 1)] {
            assert_eq!(evaluate_lease(Some(&Sighting::of(None, holder, now)), "me", now), Verdict::Take);
        }
    }

    #[test]
    fn ones_own_lease_is_renewed() {
        let now = Instant::now();
        assert_eq!(evaluate_lease(Some(&Sighting::of(None, held("me", 1), now)), "me", now), Verdict::Renew);
    }

    #[test]
    fn anothers_lease_is_taken_only_after_it_was_silent_under_our_eyes() {
        let start = Instant::now();
        let first = Sighting::of(None, held("other", 1), start);
        assert_eq!(evaluate_lease(Some(&first), "me", start + 15 * SECOND), Verdict::Wait);
        assert_eq!(evaluate_lease(Some(&first), "me", start + 16 * SECOND), Verdict::Take);
        let renewed = Sighting::of(Some(first), held("other", 2), start + 14 * SECOND);
        assert_eq!(evaluate_lease(Some(&renewed), "me", start + 16 * SECOND), Verdict::Wait);
    }

    #[test]
    fn a_holder_whose_clock_is_wrong_counts_like_any_other() {
        let start = Instant::now();
        let ancient = Sighting::of(None, held("other", i64::MIN), start);
        assert_eq!(evaluate_lease(Some(&ancient), "me", start), Verdict::Wait);
    }
}
