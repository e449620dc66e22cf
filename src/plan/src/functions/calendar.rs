//! The calendar: parts of a moment, in UTC. Milliseconds since 1970 in, numbers out; every function is total.

use std::str::FromStr;

const DAY_MS: i64 = 86_400_000;

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
    days: i64,
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

    fn iso_week_and_year(self) -> (i64, i64) {
        // A week belongs to the year that has its Thursday.
        let thursday = Self::of_millis((self.days - self.iso_day_of_week() + 4) * DAY_MS);
        ((thursday.day_of_year() - 1) / 7 + 1, thursday.year)
    }

    fn first_of(year: i64, month: i64) -> i64 {
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
    /// `EXTRACT(field FROM moment)`. Weeks are ISO weeks, days of the week count from Sunday = 1.
    pub(super) fn extract(self, millis: i64) -> i64 {
        let moment = Moment::of_millis(millis);
        match self {
            Self::Millennium => (moment.year - 1).div_euclid(1000) + 1,
            Self::Century => (moment.year - 1).div_euclid(100) + 1,
            Self::Decade => moment.year.div_euclid(10),
            Self::IsoYear => moment.iso_week_and_year().1,
            Self::IsoDayOfWeek => moment.iso_day_of_week(),
            Self::Microsecond => moment.milli * 1000,
            Self::Nanosecond => moment.milli * 1_000_000,
            // As Flink, towards zero.
            Self::Epoch => millis / 1000,
            Self::Year => moment.year,
            Self::Quarter => (moment.month - 1) / 3 + 1,
            Self::Month => moment.month,
            Self::Week => moment.iso_week_and_year().0,
            Self::Day => moment.day,
            Self::DayOfYear => moment.day_of_year(),
            Self::DayOfWeek => moment.iso_day_of_week() % 7 + 1,
            Self::Hour => moment.hour,
            Self::Minute => moment.minute,
            Self::Second => moment.second,
            Self::Millisecond => moment.milli,
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

    /// The moment so many fields later; none for fields that are no length, and for what no number can hold.
    pub(super) fn add(self, millis: i64, count: i64) -> Option<i64> {
        let months = |each: i64| later(millis, count.checked_mul(each)?);
        let span = |unit: i64| millis.checked_add(count.checked_mul(unit)?);
        match self {
            Self::Millennium => months(12_000),
            Self::Century => months(1200),
            Self::Decade => months(120),
            Self::Year => months(12),
            Self::Quarter => months(3),
            Self::Month => months(1),
            Self::Week => span(7 * DAY_MS),
            Self::Day => span(DAY_MS),
            Self::Hour => span(3_600_000),
            Self::Minute => span(60_000),
            Self::Second => span(1000),
            Self::Millisecond => span(1),
            _ => None,
        }
    }

    /// How many whole fields lie between two moments; negative if the second is earlier.
    pub(super) fn difference(self, from: i64, to: i64) -> Option<i64> {
        let span = |unit: i64| Some((to - from) / unit);
        match self {
            Self::Year => Some(months_between(from, to) / 12),
            Self::Quarter => Some(months_between(from, to) / 3),
            Self::Month => Some(months_between(from, to)),
            Self::Week => span(7 * DAY_MS),
            Self::Day => span(DAY_MS),
            Self::Hour => span(3_600_000),
            Self::Minute => span(60_000),
            Self::Second => span(1000),
            Self::Millisecond => span(1),
            _ => None,
        }
    }
}

/// How many days a month has.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1)
}

/// The moment so many months later, on the same day or the month's last one.
fn later(millis: i64, months: i64) -> Option<i64> {
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

/// Whole months; a month is whole when its day and time of day are reached.
fn months_between(from: i64, to: i64) -> i64 {
    if to < from {
        return -months_between(to, from);
    }
    let (start, end) = (Moment::of_millis(from), Moment::of_millis(to));
    let rest = |moment: Moment, millis: i64| moment.day * DAY_MS + millis.rem_euclid(DAY_MS);
    let months = (end.year - start.year) * 12 + end.month - start.month;
    if rest(end, to) < rest(start, from) { months - 1 } else { months }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let numbers: Vec<i64> = text.split(['-', ' ', ':']).map(|part| part.parse().unwrap()).collect();
        millis_of((numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5], 0)).unwrap()
    }

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
    fn days_that_do_not_exist_have_no_millis() {
        assert_eq!(millis_of((2023, 2, 29), (0, 0, 0, 0)), None);
        assert_eq!(millis_of((2024, 13, 1), (0, 0, 0, 0)), None);
        assert_eq!(millis_of((2024, 1, 1), (24, 0, 0, 0)), None);
    }

    #[test]
    fn differences_count_whole_units() {
        let months = |from, to| TimeField::Month.difference(at(from), at(to)).unwrap();
        assert_eq!(months("2024-01-31 00:00:00", "2024-02-29 00:00:00"), 0);
        assert_eq!(months("2024-01-15 12:00:00", "2024-03-15 12:00:00"), 2);
        assert_eq!(months("2024-03-15 12:00:00", "2024-01-15 12:00:00"), -2);
        assert_eq!(TimeField::Hour.difference(0, 7_199_999), Some(1));
    }
}
