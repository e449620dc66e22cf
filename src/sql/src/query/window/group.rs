//! The older way to write windows: `GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)`, with functions such as `TUMBLE_START`
//! for the window's bounds.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Clock, Window, WindowOutput};

use super::arguments::{Length, arguments_of, window};
use super::timeless;
use crate::bind::{Binder, Typed};
use crate::error::{Result, SqlError};
use crate::types;

/// The windows of a GROUP BY, and the time that rows are put into them by.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::query) struct GroupWindow {
    pub window: Window,
    pub time: Typed,
    pub clock: Clock,
}

/// The functions, the names of their lengths, and how they are written.
const FUNCTIONS: [(&str, &[&str], &str); 3] = [
    ("TUMBLE", &["SIZE"], "write TUMBLE(time, size)"),
    ("HOP", &["SLIDE", "SIZE"], "write HOP(time, slide, size)"),
    ("SESSION", &["GAP"], "write SESSION(time, gap)"),
];

impl GroupWindow {
    /// The windows that a key of GROUP BY makes, if it makes some.
    pub(in crate::query) fn of_key(key: &Expr, binder: Binder<'_>) -> Result<Option<Self>> {
        let Expr::Function(function) = key else { return Ok(None) };
        match FUNCTIONS.iter().find(|(name, _, _)| function.name.to_string().eq_ignore_ascii_case(name)) {
            Some((name, lengths, usage)) => Self::bound(function, name, lengths, usage, binder).map(Some),
            None => Ok(None),
        }
    }

    /// The windows that a call such as `TUMBLE_START(ts, size)` speaks of, and what it asks for.
    pub(in crate::query) fn of_call(function: &Function, binder: Binder<'_>) -> Result<Option<(Self, WindowOutput)>> {
        let name = function.name.to_string().to_ascii_uppercase();
        let Some((stem, what)) = name.split_once('_') else { return Ok(None) };
        let output = match what {
            "START" => WindowOutput::Start,
            "END" => WindowOutput::End,
            "ROWTIME" | "PROCTIME" => WindowOutput::Time,
            _ => return Ok(None),
        };
        let Some((stem, lengths, usage)) = FUNCTIONS.iter().find(|(known, _, _)| *known == stem) else {
            return Ok(None);
        };
        let found = Self::bound(function, stem, lengths, usage, binder)?;
        let clock = if what == "PROCTIME" { Clock::Processing } else { Clock::Event };
        if output == WindowOutput::Time && clock != found.clock {
            let right = if clock == Clock::Event { "PROCTIME" } else { "ROWTIME" };
            let message = format!("{name} does not fit the time that the windows go by");
            return Err(SqlError::new(function.name.span(), message, format!("use {stem}_{right}")));
        }
        Ok(Some((found, output)))
    }

    fn bound(
        function: &Function,
        name: &str,
        lengths: &[&'static str],
        usage: &str,
        binder: Binder<'_>,
    ) -> Result<Self> {
        let span = function.name.span();
        let arguments = plain(function, usage)?;
        let [time, written @ ..] = arguments.as_slice() else { return Err(unfit(function, span, usage)) };
        if written.len() != lengths.len() {
            return Err(unfit(function, span, usage));
        }
        let length = |wanted: &'static str| {
            let place = lengths.iter().position(|name| *name == wanted).unwrap_or_default();
            Ok(Length { name: wanted, written: written[place] })
        };
        let window = window(name, &length, 0)?;
        let (value, role) = binder.bind_column(time)?;
        let no_time = || timeless(&time.to_string(), &types::name(&value.data_type), time.span());
        let clock = role.clock().ok_or_else(no_time)?;
        Ok(Self { window, time: value, clock })
    }
}

fn plain<'a>(function: &'a Function, usage: &str) -> Result<Vec<&'a Expr>> {
    let plain = |argument: &'a FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Ok(expression),
        other => Err(SqlError::new(other.span(), format!("the argument {other} is not supported"), usage)),
    };
    arguments_of(function)?.iter().map(plain).collect()
}

fn unfit(function: &Function, span: Span, usage: &str) -> SqlError {
    SqlError::new(span, format!("the arguments of {} do not fit", function.name), usage)
}
