//! Functions between moments and what clocks show in a time zone. The planner puts them where the session's time zone
//! matters; a zone is a constant, except for `CONVERT_TZ`.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::{Instant, Text, Timestamp};
use super::arguments::{Moments, Texts, collect_moments, collect_text, constant};
use super::kernel::own;
use super::pattern::{format_timestamp, read_prefix};
use super::{Form, Function, Returns, Simple};
use crate::zone::{Stretch, Twice, Zone};

/// The function that says what clocks show at a moment.
pub const LOCAL_OF: &str = "local_of";
/// The function that gives the moment at which clocks show a time.
pub const INSTANT_OF: &str = "instant_of";

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            LOCAL_OF,
            &[Form { parameters: &[Instant, Text], repeats: false, returns: Returns::Type(Simple::Timestamp) }],
            "CAST(timestamp_ltz AS TIMESTAMP)",
            Strict,
            local_of,
        )
        .checked(check_zone),
        own(
            INSTANT_OF,
            &[Form { parameters: &[Timestamp, Text], repeats: false, returns: Returns::Type(Simple::Instant) }],
            "CAST(timestamp AS TIMESTAMP_LTZ)",
            Strict,
            instant_of,
        )
        .checked(check_zone),
        own(
            "convert_tz",
            &[Form { parameters: &[Text, Text, Text], repeats: false, returns: Returns::Type(Simple::Text) }],
            "CONVERT_TZ(string, from zone, to zone)",
            Sometimes,
            convert_tz,
        ),
    ]
}

fn check_zone(constants: &[Option<String>]) -> std::result::Result<(), String> {
    let name = constants.get(1).cloned().flatten().ok_or("the time zone must be a string constant")?;
    Zone::named(&name).map(|_| ()).ok_or_else(|| format!("there is no time zone `{name}`"))
}

pub(super) fn zone(arguments: &ScalarFunctionArgs, place: usize) -> Result<Zone> {
    let name = constant(arguments, place)?;
    Zone::named(name).ok_or_else(|| exec_datafusion_err!("there is no time zone `{name}`"))
}

/// Rows that follow each other mostly are of one season.
fn local_of(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (moments, zone) = (Moments::of(arguments, 0)?, zone(arguments, 1)?);
    let known = Cell::new(Stretch { from: 0, until: 0, offset_ms: 0 });
    Ok(collect_moments(arguments, |row| {
        let instant = moments.get(row)?;
        if !(known.get().from..known.get().until).contains(&instant) {
            known.set(zone.stretch(instant));
        }
        Some(instant.saturating_add(known.get().offset_ms))
    }))
}

fn instant_of(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (moments, zone) = (Moments::of(arguments, 0)?, zone(arguments, 1)?);
    Ok(collect_moments(arguments, |row| moments.get(row).map(|local| zone.instant_of(local, Twice::First))))
}

/// A zone that is not known is Greenwich, and an hour that comes twice is the second one, as Flink has it here.
fn convert_tz(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (texts, from, to) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?, Texts::of(arguments, 2)?);
    let known = std::cell::RefCell::new(HashMap::<String, Option<Zone>>::new());
    let zone =
        |name: &str| known.borrow_mut().entry(name.to_string()).or_insert_with(|| Zone::named(full_name(name))).clone();
    Ok(collect_text(arguments.number_rows, |row| {
        let (text, from, to) = (texts.get(row)?, from.get(row)?, to.get(row)?);
        let local = read_prefix("yyyy-MM-dd HH:mm:ss", text)?;
        let instant = zone(from).map_or(local, |zone| zone.instant_of(local, Twice::Second));
        let shown = zone(to).map_or(instant, |zone| zone.local_of(instant));
        Some(Cow::Owned(format_timestamp(shown, "yyyy-MM-dd HH:mm:ss")))
    }))
}

/// The abbreviations that Java knows and that are not zones of their own.
fn full_name(name: &str) -> &str {
    match name {
        "PST" => "America/Los_Angeles",
        "CST" => "America/Chicago",
        "IST" => "Asia/Kolkata",
        "JST" => "Asia/Tokyo",
        "CTT" => "Asia/Shanghai",
        "ECT" => "Europe/Paris",
        "AST" => "America/Anchorage",
        other => other,
    }
}
