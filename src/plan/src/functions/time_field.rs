//! Parts of a date or time that SQL names: what they are of a moment, and how long they are. Moments are milliseconds
//! since 1970, in UTC or as clocks show them.

use std::str::FromStr;

use super::calendar::{DAY_MS, Moment, later, months_between};

/// A part of a date or time that SQL names, as in `EXTRACT(HOUR FROM t)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeField {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    /// Seconds since 1970.
    Epoch,
}

impl FromStr for TimeField {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_uppercase().as_str() {
            "MILLENNIUM" => Ok(Self::Millennium),
            "CENTURY" => Ok(Self::Century),
            "DECADE" => Ok(Self::Decade),
            "ISOYEAR" => Ok(Self::IsoYear),
            "ISODOW" => Ok(Self::IsoDayOfWeek),
            "MICROSECOND" => Ok(Self::Microsecond),
            "NANOSECOND" => Ok(Self::Nanosecond),
            "EPOCH" => Ok(Self::Epoch),
            "YEAR" => Ok(Self::Year),
            "QUARTER" => Ok(Self::Quarter),
            "MONTH" => Ok(Self::Month),
            "WEEK" => Ok(Self::Week),
            "DAY" => Ok(Self::Day),
            "DOY" => Ok(Self::DayOfYear),
            "DOW" => Ok(Self::DayOfWeek),
            "HOUR" => Ok(Self::Hour),
            "MINUTE" => Ok(Self::Minute),
            "SECOND" => Ok(Self::Second),
            "MILLISECOND" => Ok(Self::Millisecond),
            _ => Err(format!("`{name}` is not a part of a time")),
        }
    }
}

impl TimeField {
    /// `EXTRACT(field FROM moment)`. Weeks are ISO weeks, days of the week count from Sunday = 1. As in Flink, a moment
    /// before 1970 counts back from the midnight after it: it has that midnight's day and parts below zero.
    pub(super) fn extract(self, millis: i64) -> i64 {
        let (moment, clock) = (Moment::of_millis(millis / DAY_MS * DAY_MS), millis % DAY_MS);
        match self {
            Self::Millennium => (moment.year - 1).div_euclid(1000) + 1,
            Self::Century => (moment.year - 1).div_euclid(100) + 1,
            Self::Decade => moment.year.div_euclid(10),
            Self::Year => moment.year,
            Self::IsoYear => moment.iso_week_and_year().1,
            Self::Quarter => (moment.month - 1) / 3 + 1,
            Self::Month => moment.month,
            Self::Week => moment.iso_week_and_year().0,
            Self::Day => moment.day,
            Self::DayOfYear => moment.day_of_year(),
            Self::DayOfWeek => moment.iso_day_of_week() % 7 + 1,
            Self::IsoDayOfWeek => moment.iso_day_of_week(),
            Self::Hour => clock / 3_600_000,
            Self::Minute => clock / 60_000 % 60,
            Self::Second => clock / 1000 % 60,
            Self::Millisecond => clock % 1000,
            Self::Microsecond => clock % 1000 * 1000,
            Self::Nanosecond => clock % 1000 * 1_000_000,
            Self::Epoch => millis / 1000,
        }
    }

    /// `FLOOR(moment TO field)`; none for fields that cannot be floored to. Weeks begin on Sunday, as in Flink.
    pub(super) fn floor(self, millis: i64) -> Option<i64> {
        let moment = Moment::of_millis(millis);
        match self {
            Self::Millennium => Some(Moment::first_of((moment.year - 1).div_euclid(1000) * 1000 + 1, 1)),
            Self::Century => Some(Moment::first_of((moment.year - 1).div_euclid(100) * 100 + 1, 1)),
            Self::Decade => Some(Moment::first_of(moment.year.div_euclid(10) * 10, 1)),
            Self::Year => Some(Moment::first_of(moment.year, 1)),
            Self::Quarter => Some(Moment::first_of(moment.year, (moment.month - 1) / 3 * 3 + 1)),
            Self::Month => Some(Moment::first_of(moment.year, moment.month)),
            Self::Week => Some((moment.days - moment.iso_day_of_week() % 7) * DAY_MS),
            Self::Day => Some(millis - millis.rem_euclid(DAY_MS)),
            Self::Hour => Some(millis - millis.rem_euclid(3_600_000)),
            Self::Minute => Some(millis - millis.rem_euclid(60_000)),
            Self::Second => Some(millis - millis.rem_euclid(1000)),
            Self::Millisecond => Some(millis),
            _ => None,
        }
    }

    /// `CEIL(moment TO field)`; none for fields that cannot be floored to.
    pub(super) fn ceil(self, millis: i64) -> Option<i64> {
        let floor = self.floor(millis)?;
        if floor == millis { Some(millis) } else { self.add(floor, 1) }
    }

    /// None for what is a part of a time but no length.
    fn length(self) -> Option<Length> {
        Some(match self {
            Self::Millennium => Length::Months(12_000),
            Self::Century => Length::Months(1200),
            Self::Decade => Length::Months(120),
            Self::Year => Length::Months(12),
            Self::Quarter => Length::Months(3),
            Self::Month => Length::Months(1),
            Self::Week => Length::Millis(7 * DAY_MS),
            Self::Day => Length::Millis(DAY_MS),
            Self::Hour => Length::Millis(3_600_000),
            Self::Minute => Length::Millis(60_000),
            Self::Second => Length::Millis(1000),
            Self::Millisecond => Length::Millis(1),
            Self::Microsecond
            | Self::Nanosecond
            | Self::IsoYear
            | Self::DayOfYear
            | Self::DayOfWeek
            | Self::IsoDayOfWeek
            | Self::Epoch => return None,
        })
    }

    /// The moment so many fields later; none for fields that are no length, and for what no number can hold.
    pub(super) fn add(self, millis: i64, count: i64) -> Option<i64> {
        match self.length()? {
            Length::Months(each) => later(millis, count.checked_mul(each)?),
            Length::Millis(each) => millis.checked_add(count.checked_mul(each)?),
        }
    }

    /// How many whole fields lie between two moments, negative if the second is earlier; none for fields that are no
    /// length, and for those longer than a year, of which Flink's answers make no sense.
    pub(super) fn difference(self, from: i64, to: i64) -> Option<i64> {
        match self.length()? {
            Length::Months(13..) => None,
            Length::Months(each) => Some(months_between(from, to) / each),
            Length::Millis(each) => Some((to - from) / each),
        }
    }
}

enum Length {
    Months(i64),
    Millis(i64),
}

#[cfg(test)]
mod tests {
    use super::super::calendar::millis_of;
    use super::*;

    fn at(text: &str) -> i64 {
        let numbers: Vec<i64> = text.split(['-', ' ', ':']).map(|part| part.parse().unwrap()).collect();
        millis_of((numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5], 0)).unwrap()
    }

    #[test]
    fn moments_before_1970_floor_downwards() {
        let floor = |field: TimeField, text| field.floor(at(text)).unwrap();
        assert_eq!(floor(TimeField::Hour, "1969-12-31 23:59:59"), at("1969-12-31 23:00:00"));
        assert_eq!(floor(TimeField::Year, "1969-12-31 23:59:59"), at("1969-01-01 00:00:00"));
    }

    #[test]
    fn moments_are_rounded_to_what_has_a_length() {
        let floor = |field: TimeField, text| field.floor(at(text)).unwrap();
        let ceil = |field: TimeField, text| field.ceil(at(text)).unwrap();
        assert_eq!(floor(TimeField::Week, "2020-01-02 15:04:05"), at("2019-12-29 00:00:00"));
        assert_eq!(ceil(TimeField::Week, "2020-01-02 15:04:05"), at("2020-01-05 00:00:00"));
        assert_eq!(floor(TimeField::Week, "2020-01-05 00:00:00"), at("2020-01-05 00:00:00"));
        assert_eq!(floor(TimeField::Century, "2020-01-02 15:04:05"), at("2001-01-01 00:00:00"));
        assert_eq!(ceil(TimeField::Decade, "2020-01-02 15:04:05"), at("2030-01-01 00:00:00"));
        assert_eq!(ceil(TimeField::Month, "2020-01-01 00:00:00"), at("2020-01-01 00:00:00"));
        assert_eq!(ceil(TimeField::Quarter, "2020-11-01 00:00:01"), at("2021-01-01 00:00:00"));
    }

    #[test]
    fn months_end_with_their_last_day() {
        let later = |text, months| TimeField::Month.add(at(text), months).unwrap();
        assert_eq!(later("2020-01-31 10:00:00", 1), at("2020-02-29 10:00:00"));
        assert_eq!(later("2020-02-29 10:00:00", 12), at("2021-02-28 10:00:00"));
        assert_eq!(later("2020-01-31 10:00:00", -2), at("2019-11-30 10:00:00"));
        assert_eq!(later("2020-12-31 00:00:00", 12), at("2021-12-31 00:00:00"));
        assert_eq!(TimeField::Year.add(0, i64::MAX), None);
    }

    #[test]
    fn parts_that_are_not_of_the_calendar_are_told_as_flink_tells_them() {
        let part = |field: TimeField, text| field.extract(at(text));
        let parts = [TimeField::Millennium, TimeField::Century, TimeField::Decade, TimeField::IsoYear];
        assert_eq!(parts.map(|field| part(field, "2021-01-02 00:00:00")), [3, 21, 202, 2020]);
        assert_eq!(parts.map(|field| part(field, "2000-12-31 00:00:00")), [2, 20, 200, 2000]);
        assert_eq!(TimeField::Epoch.extract(-500), 0);
    }

    #[test]
    fn parts_before_1970_count_back_from_the_midnight_after() {
        let part = |field: TimeField| field.extract(at("1969-12-30 12:30:40") + 123);
        let days = [TimeField::Year, TimeField::Month, TimeField::Day, TimeField::DayOfWeek, TimeField::DayOfYear];
        assert_eq!(days.map(part), [1969, 12, 31, 4, 365]);
        let clock = [TimeField::Hour, TimeField::Minute, TimeField::Second, TimeField::Millisecond, TimeField::Epoch];
        assert_eq!(clock.map(part), [-11, -29, -19, -877, -127_759]);
    }

    #[test]
    fn differences_count_whole_units() {
        let months = |from, to| TimeField::Month.difference(at(from), at(to)).unwrap();
        assert_eq!(months("2024-01-31 00:00:00", "2024-02-29 00:00:00"), 1);
        assert_eq!(months("2024-01-15 12:00:00", "2024-03-15 12:00:00"), 2);
        assert_eq!(months("2024-03-15 12:00:00", "2024-01-15 12:00:00"), -2);
        assert_eq!(TimeField::Hour.difference(0, 7_199_999), Some(1));
    }
}
