//! The calendar, in UTC. Milliseconds since 1970 in, numbers out; every function is total.

pub(super) const DAY_MS: i64 = 86_400_000;

/// A moment's place in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub milli: i64,
    /// Days since 1970.
    pub days: i64,
}

impl Moment {
    pub(super) fn of_millis(millis: i64) -> Self {
        let (days, rest) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days);
        let (seconds, milli) = (rest / 1000, rest % 1000);
        Self { year, month, day, hour: seconds / 3600, minute: seconds / 60 % 60, second: seconds % 60, milli, days }
    }

    /// From 1.
    pub(super) fn day_of_year(self) -> i64 {
        self.days - days_of(self.year, 1, 1) + 1
    }

    /// Monday is 1.
    pub(super) fn iso_day_of_week(self) -> i64 {
        (self.days + 3).rem_euclid(7) + 1
    }

    pub(super) fn iso_week_and_year(self) -> (i64, i64) {
        // A week belongs to the year that has its Thursday.
        let thursday = Self::of_millis((self.days - self.iso_day_of_week() + 4) * DAY_MS);
        ((thursday.day_of_year() - 1) / 7 + 1, thursday.year)
    }

    /// Milliseconds since 1970 of a month's beginning.
    pub(super) fn first_of(year: i64, month: i64) -> i64 {
        days_of(year, month, 1) * DAY_MS
    }
}

/// Milliseconds since 1970 of a date and time; none if there is no such day or time.
pub(super) fn millis_of(date: (i64, i64, i64), time: (i64, i64, i64, i64)) -> Option<i64> {
    let ((year, month, day), (hour, minute, second, milli)) = (date, time);
    let time_exists = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && (0..10_000).contains(&year);
    if !time_exists || !in_range || !(0..1000).contains(&milli) {
        return None;
    }
    let days = days_of(year, month, day);
    let exists = civil(days) == (year, month, day);
    exists.then(|| days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

/// Year, month and day of a day since 1970, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Count from 0000-03-01, so that a leap day ends its year, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// How many days a month has.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1)
}

/// The moment so many months later, on the same day or the month's last one; none for what no number can hold.
pub(super) fn later(millis: i64, months: i64) -> Option<i64> {
    let moment = Moment::of_millis(millis);
    let month = moment.year.checked_mul(12)?.checked_add(moment.month - 1)?.checked_add(months)?;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    // Beyond this no time of day can be told in milliseconds.
    if !(-200_000_000..=200_000_000).contains(&year) {
        return None;
    }
    let day = moment.day.min(days_in_month(year, month));
    Some(days_of(year, month, day) * DAY_MS + millis.rem_euclid(DAY_MS))
}

/// How many whole months lie between two moments, negative if the second is earlier, as Flink counts them: a month is
/// whole when its day is reached, or the last one of a month that is too short for it. The time of day matters only
/// where the two moments have the same day then, and the second one's is the earlier.
pub(super) fn months_between(from: i64, to: i64) -> i64 {
    let day = |millis: i64| millis.div_euclid(DAY_MS);
    let months = match day(from) <= day(to) {
        true => months_of_days(day(from), day(to)),
        false => -months_of_days(day(to), day(from)),
    };
    let is_same_day = later(from, months).is_some_and(|reached| day(reached) == day(to));
    if is_same_day && to.rem_euclid(DAY_MS) < from.rem_euclid(DAY_MS) { months - 1 } else { months }
}

/// The whole months from one day to a later one, both since 1970.
fn months_of_days(from: i64, to: i64) -> i64 {
    let (start, end) = (Moment::of_millis(from * DAY_MS), Moment::of_millis(to * DAY_MS));
    let months = (end.year - start.year) * 12 + end.month - start.month;
    let reached = start.day.min(days_in_month(end.year, end.month)) <= end.day;
    if reached { months } else { months - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_agrees_with_another_over_four_centuries() {
        for days in (-80_000..80_000).step_by(7) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            let moment = Moment::of_millis(days * DAY_MS);
            assert_eq!(
                (moment.year, moment.month, moment.day),
                (date.year().into(), date.month().into(), date.day().into())
            );
            assert_eq!(moment.day_of_year(), i64::from(date.day_of_year()));
            assert_eq!(moment.iso_week_and_year().0, i64::from(date.iso_week_date().week()));
            assert_eq!(millis_of((moment.year, moment.month, moment.day), (0, 0, 0, 0)), Some(days * DAY_MS));
        }
    }

    #[test]
    fn days_that_do_not_exist_have_no_millis() {
        assert_eq!(millis_of((2023, 2, 29), (0, 0, 0, 0)), None);
        assert_eq!(millis_of((2024, 13, 1), (0, 0, 0, 0)), None);
        assert_eq!(millis_of((2024, 1, 1), (24, 0, 0, 0)), None);
    }

    #[test]
    fn months_are_whole_when_their_day_is_reached_or_their_last_one() {
        let check = |from: (i64, i64, i64, i64), to: (i64, i64, i64, i64), expected: i64| {
            let at = |(year, month, day, hour)| millis_of((year, month, day), (hour, 0, 0, 0)).unwrap();
            assert_eq!(months_between(at(from), at(to)), expected, "{from:?} {to:?}");
        };
        check((2024, 1, 31, 0), (2024, 2, 29, 0), 1);
        check((2024, 1, 31, 0), (2024, 2, 28, 0), 0);
        check((2024, 1, 31, 0), (2024, 3, 30, 0), 1);
        check((2024, 3, 30, 0), (2024, 1, 31, 0), -1);
        check((2024, 2, 29, 0), (2025, 2, 28, 0), 12);
        // The time of day, for the same day only, and not alike in both directions.
        check((2024, 5, 15, 13), (2024, 6, 15, 12), 0);
        check((2024, 6, 15, 12), (2024, 5, 15, 13), -1);
        check((2024, 1, 31, 12), (2024, 2, 29, 0), 0);
        check((2024, 2, 29, 0), (2024, 1, 31, 12), -1);
        check((1969, 1, 15, 12), (1970, 2, 15, 11), 12);
        check((1970, 2, 15, 11), (1969, 1, 15, 12), -13);
        check((1969, 11, 30, 12), (1969, 12, 31, 11), 1);
    }
}
