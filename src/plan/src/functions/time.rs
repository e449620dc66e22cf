//! Functions on dates and times. The session's time zone is UTC. Milliseconds are the finest there are.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion_common::arrow::array::{ArrayRef, Date32Array, Time32MillisecondArray};
use datafusion_common::arrow::datatypes::{DataType, Date32Type, Time32MillisecondType};
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Date, Double, Instant, Text, Time, Timestamp, Whole};
use super::arguments::{
    Doubles, Moments, Texts, Values, Wholes, collect_moments, collect_text, collect_wholes, constant,
};
use super::kernel::{own, volatile};
use super::pattern::{Pattern, read_timestamp};
use super::time_field::TimeField;
use super::written::timestamp;
use super::{Form, Function, Returns, Simple};
use crate::clock::{now_ms, watermark};
use crate::zone::Twice;

/// How far event time has come where the row is. Only calculations know it.
pub const CURRENT_WATERMARK: &str = "current_watermark";

const DAY_MS: i64 = 86_400_000;
const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

pub(super) fn functions() -> Vec<Function> {
    vec![
        volatile("current_timestamp", nothing_to(&INSTANT), "CURRENT_TIMESTAMP", now)
            .aliased(&["now", "current_row_timestamp"]),
        volatile("localtimestamp", nothing_to(&TIMESTAMP), "LOCALTIMESTAMP", now),
        // A column of it is a time attribute; what that is for is the planner's business.
        volatile("proctime", nothing_to(&INSTANT), "PROCTIME()", now),
        volatile(
            CURRENT_WATERMARK,
            &[Form { parameters: &[Timestamp], repeats: false, returns: Returns::SameAs(0) }],
            "CURRENT_WATERMARK(time attribute)",
            |arguments| {
                let reached = watermark();
                Ok(collect_moments(arguments, |_| reached))
            },
        )
        .sometimes_null(),
        volatile("current_date", nothing_to(&DATE), "CURRENT_DATE", today),
        volatile("current_time", nothing_to(&TIME), "CURRENT_TIME", time_of_day).aliased(&["localtime"]),
        volatile(
            "unix_timestamp",
            &[
                Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::BigInt) },
                Form { parameters: &[Text], repeats: false, returns: Returns::Type(Simple::BigInt) },
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::BigInt) },
                // With the session's time zone.
                Form { parameters: &[Text, Text, Text], repeats: false, returns: Returns::Type(Simple::BigInt) },
            ],
            "UNIX_TIMESTAMP([string [, 'pattern']])",
            unix_timestamp,
        )
        .checked(|constants| if constants.len() < 2 { Ok(()) } else { check_readable(constants) }),
        own(
            "to_date",
            &[
                Form { parameters: &[Text], repeats: false, returns: Returns::Type(Simple::Date) },
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Date) },
            ],
            "TO_DATE(string [, 'pattern'])",
            Sometimes,
            to_date,
        )
        .checked(|constants| if constants.len() < 2 { Ok(()) } else { check_readable(constants) }),
        own(
            "date_format",
            &[
                Form { parameters: &[Timestamp, Text], repeats: false, returns: Returns::Type(Simple::Text) },
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Text) },
            ],
            "DATE_FORMAT(timestamp or string, 'pattern')",
            Sometimes,
            date_format,
        )
        .checked(|constants| check_pattern(constants, 1).map(|_| ())),
        own(
            "from_unixtime",
            &[
                Form { parameters: &[Whole], repeats: false, returns: Returns::Type(Simple::Text) },
                Form { parameters: &[Whole, Text], repeats: false, returns: Returns::Type(Simple::Text) },
            ],
            "FROM_UNIXTIME(seconds [, 'pattern'])",
            Strict,
            from_unixtime,
        )
        .checked(|constants| if constants.len() < 2 { Ok(()) } else { check_pattern(constants, 1).map(|_| ()) }),
        own(
            "to_timestamp",
            &[
                Form { parameters: &[Text], repeats: false, returns: Returns::Type(Simple::Timestamp) },
                Form { parameters: &[Text, Text], repeats: false, returns: Returns::Type(Simple::Timestamp) },
            ],
            "TO_TIMESTAMP(string [, 'pattern'])",
            Sometimes,
            to_timestamp,
        )
        .checked(|constants| if constants.len() < 2 { Ok(()) } else { check_readable(constants) }),
        own(
            "to_timestamp_ltz",
            &[
                Form { parameters: &[Whole], repeats: false, returns: Returns::Type(Simple::Instant) },
                Form { parameters: &[Whole, Whole], repeats: false, returns: Returns::Type(Simple::Instant) },
                Form { parameters: &[Double, Whole], repeats: false, returns: Returns::Type(Simple::Instant) },
            ],
            "TO_TIMESTAMP_LTZ(number [, 0 for seconds or 3 for milliseconds]) or (string [, 'pattern' [, 'zone']])",
            Sometimes,
            to_timestamp_ltz,
        )
        .checked(|constants| match constants.get(1).map(Option::as_deref) {
            None | Some(Some("0" | "3")) => Ok(()),
            _ => Err("the precision must be the constant 0 or 3".to_string()),
        }),
        own(
            "extract",
            &[
                Form { parameters: &[Text, Timestamp], repeats: false, returns: Returns::Type(Simple::BigInt) },
                Form { parameters: &[Text, Time], repeats: false, returns: Returns::Type(Simple::BigInt) },
            ],
            "EXTRACT(unit FROM timestamp)",
            Strict,
            extract,
        )
        .checked(|constants| field_of(constants).map(|_| ())),
        own("floor_time", ROUNDED, "FLOOR(timestamp TO unit)", Strict, |a| rounded(a, TimeField::floor))
            .checked(check_roundable),
        own("ceil_time", ROUNDED, "CEIL(timestamp TO unit)", Strict, |a| rounded(a, TimeField::ceil))
            .checked(check_roundable),
        own(
            "timestampadd",
            &[
                Form { parameters: &[Text, Whole, Date], repeats: false, returns: Returns::SameAs(2) },
                Form { parameters: &[Text, Whole, Time], repeats: false, returns: Returns::SameAs(2) },
                Form { parameters: &[Text, Whole, Timestamp], repeats: false, returns: Returns::SameAs(2) },
            ],
            "TIMESTAMPADD(unit, count, timestamp)",
            Strict,
            timestampadd,
        )
        .checked(|constants| match field_of(constants)?.add(0, 0) {
            Some(_) => Ok(()),
            None => Err("times move by YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND".to_string()),
        }),
        own(
            "timestampdiff",
            &[Form { parameters: &[Text, Timestamp, Timestamp], repeats: false, returns: Returns::Type(Simple::Int) }],
            "TIMESTAMPDIFF(unit, from, to)",
            Strict,
            timestampdiff,
        )
        .checked(|constants| match field_of(constants)?.difference(0, 0) {
            Some(_) => Ok(()),
            None => {
                Err("differences are counted in YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND".to_string())
            }
        }),
    ]
}

const ROUNDED: &[Form] = &[
    Form { parameters: &[Text, Date], repeats: false, returns: Returns::SameAs(1) },
    Form { parameters: &[Text, Time], repeats: false, returns: Returns::SameAs(1) },
    Form { parameters: &[Text, Timestamp], repeats: false, returns: Returns::SameAs(1) },
    // With the session's time zone.
    Form { parameters: &[Text, Instant, Text], repeats: false, returns: Returns::SameAs(1) },
];
const INSTANT: [Form; 1] = [Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Instant) }];
const TIMESTAMP: [Form; 1] = [Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Timestamp) }];
const TIME: [Form; 1] = [Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Time) }];
const DATE: [Form; 1] = [Form { parameters: &[], repeats: false, returns: Returns::Type(Simple::Date) }];

const fn nothing_to(form: &'static [Form; 1]) -> &'static [Form] {
    form
}

fn check_pattern(constants: &[Option<String>], place: usize) -> std::result::Result<Pattern, String> {
    constants.get(place).cloned().flatten().ok_or("the date pattern must be a string constant")?.parse()
}

fn check_readable(constants: &[Option<String>]) -> std::result::Result<(), String> {
    match check_pattern(constants, 1)?.can_read() {
        true => Ok(()),
        false => Err("the date pattern has letters that can only be written".to_string()),
    }
}

fn check_roundable(constants: &[Option<String>]) -> std::result::Result<(), String> {
    match field_of(constants)?.floor(0) {
        Some(_) => Ok(()),
        None => Err("a time is rounded to YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND".to_string()),
    }
}

fn field_of(constants: &[Option<String>]) -> std::result::Result<TimeField, String> {
    constants.first().cloned().flatten().ok_or("the unit must be a name such as HOUR")?.parse()
}

fn field(arguments: &ScalarFunctionArgs) -> Result<TimeField> {
    constant(arguments, 0)?.parse().map_err(|e| exec_datafusion_err!("{e}"))
}

fn pattern(text: &str) -> Result<Pattern> {
    text.parse().map_err(|e| exec_datafusion_err!("{e}"))
}

fn now(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let now = now_ms();
    Ok(collect_moments(arguments, |_| Some(now)))
}

fn today(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let today = i32::try_from(now_ms().div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    Ok(Arc::new(Date32Array::from_value(today, arguments.number_rows)))
}

/// In whole seconds.
fn time_of_day(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let seconds = now_ms().rem_euclid(DAY_MS) / 1000;
    Ok(Arc::new(Time32MillisecondArray::from_value(seconds as i32 * 1000, arguments.number_rows)))
}

/// What is no time is the lowest number, as in Flink.
fn unix_timestamp(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    if arguments.args.is_empty() {
        let now = now_ms().div_euclid(1000);
        return Ok(collect_wholes(arguments.number_rows, |_| Some(now)));
    }
    let texts = Texts::of(arguments, 0)?;
    let pattern = pattern(if arguments.args.len() < 2 { DEFAULT_PATTERN } else { constant(arguments, 1)? })?;
    let zone = (arguments.args.len() > 2).then(|| super::zones::zone(arguments, 2)).transpose()?;
    let instant = |local: i64| zone.as_ref().map_or(local, |zone| zone.instant_of(local, Twice::Second));
    let seconds = |text: &str| pattern.read(text).map_or(i64::MIN, |local| instant(local).div_euclid(1000));
    Ok(collect_wholes(arguments.number_rows, |row| texts.get(row).map(seconds)))
}

/// Without a pattern, a time behind the date does not matter.
fn to_date(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let pattern = if arguments.args.len() < 2 { None } else { Some(pattern(constant(arguments, 1)?)?) };
    let millis = |text: &str| match &pattern {
        Some(pattern) => pattern.read(text),
        None => read_timestamp(text.trim().split(' ').next().unwrap_or_default()),
    };
    let days = |row| millis(texts.get(row)?).map(|millis| millis.div_euclid(DAY_MS) as i32);
    Ok(Arc::new((0..arguments.number_rows).map(days).collect::<Date32Array>()))
}

/// A string is a time as CAST reads it; NULL if it is none.
fn date_format(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let pattern = pattern(constant(arguments, 1)?)?;
    if let Ok(texts) = Texts::of(arguments, 0) {
        return Ok(collect_text(arguments.number_rows, |row| {
            timestamp(texts.get(row)?).map(|millis| written(&pattern, millis))
        }));
    }
    let moments = Moments::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| moments.get(row).map(|millis| written(&pattern, millis))))
}

fn from_unixtime(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let seconds = Wholes::of(arguments, 0)?;
    let pattern = pattern(if arguments.args.len() < 2 { DEFAULT_PATTERN } else { constant(arguments, 1)? })?;
    Ok(collect_text(arguments.number_rows, |row| {
        let seconds = seconds.get(row)?;
        Some(written(&pattern, seconds.saturating_mul(1000)))
    }))
}

fn written(pattern: &Pattern, millis: i64) -> Cow<'static, str> {
    let mut out = String::with_capacity(24);
    pattern.write(millis, &mut out);
    Cow::Owned(out)
}

fn to_timestamp(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    if arguments.args.len() < 2 {
        return Ok(collect_moments(arguments, |row| timestamp(texts.get(row)?)));
    }
    let pattern = pattern(constant(arguments, 1)?)?;
    Ok(collect_moments(arguments, |row| pattern.read(texts.get(row)?)))
}

fn to_timestamp_ltz(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let precisions = match arguments.args.len() {
        1 => Wholes::Constant(Some(3)),
        _ => Wholes::of(arguments, 1)?,
    };
    if let Ok(numbers) = Doubles::of(arguments, 0) {
        return Ok(collect_moments(arguments, |row| {
            let factor = if precisions.get(row)? == 0 { 1000.0 } else { 1.0 };
            Some((numbers.get(row)? * factor) as i64)
        }));
    }
    let numbers = Wholes::of(arguments, 0)?;
    Ok(collect_moments(arguments, |row| match precisions.get(row)? {
        0 => numbers.get(row)?.checked_mul(1000),
        _ => numbers.get(row),
    }))
}

fn extract(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let field = field(arguments)?;
    if let Ok(times) = Values::<Time32MillisecondType>::of(arguments, 1) {
        let value = |row| times.get(row).map(|millis| field.extract(millis.into()));
        return Ok(collect_wholes(arguments.number_rows, value));
    }
    let moments = Moments::of(arguments, 1)?;
    Ok(collect_wholes(arguments.number_rows, |row| moments.get(row).map(|millis| field.extract(millis))))
}

/// Moves dates, times of day and timestamps; `moved` gets milliseconds.
fn each_time(
    arguments: &ScalarFunctionArgs,
    place: usize,
    moved: impl Fn(usize, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let rows = arguments.number_rows;
    // By what is promised: values that are all NULL may come without a type.
    match arguments.return_field.data_type() {
        DataType::Date32 => {
            let days = Values::<Date32Type>::of(arguments, place)?;
            let day = |row: usize| {
                moved(row, i64::from(days.get(row)?) * DAY_MS).map(|millis| millis.div_euclid(DAY_MS) as i32)
            };
            Ok(Arc::new((0..rows).map(day).collect::<Date32Array>()))
        }
        DataType::Time32(_) => {
            let times = Values::<Time32MillisecondType>::of(arguments, place)?;
            let time = |row: usize| moved(row, times.get(row)?.into()).map(|millis| millis.rem_euclid(DAY_MS) as i32);
            Ok(Arc::new((0..rows).map(time).collect::<Time32MillisecondArray>()))
        }
        _ => {
            let moments = Moments::of(arguments, place)?;
            Ok(collect_moments(arguments, |row| moved(row, moments.get(row)?)))
        }
    }
}

fn rounded(arguments: &ScalarFunctionArgs, round: fn(TimeField, i64) -> Option<i64>) -> Result<ArrayRef> {
    let field = field(arguments)?;
    if arguments.args.len() < 3 {
        return each_time(arguments, 1, |_, millis| round(field, millis));
    }
    let zone = super::zones::zone(arguments, 2)?;
    each_time(arguments, 1, |_, instant| {
        // As Flink: what clocks were ahead at the moment itself counts at its result, too.
        let local = zone.local_of(instant);
        Some(instant + (round(field, local)? - local))
    })
}

fn timestampadd(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (field, counts) = (field(arguments)?, Wholes::of(arguments, 1)?);
    each_time(arguments, 2, |row, millis| field.add(millis, counts.get(row)?))
}

/// More than an INT holds wraps around, as in Flink.
fn timestampdiff(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (field, starts, ends) = (field(arguments)?, Moments::of(arguments, 1)?, Moments::of(arguments, 2)?);
    let difference = |row| field.difference(starts.get(row)?, ends.get(row)?);
    let values = (0..arguments.number_rows).map(|row| difference(row).map(|value| value as i32));
    Ok(Arc::new(values.collect::<datafusion_common::arrow::array::Int32Array>()))
}
