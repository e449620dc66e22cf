//! The arguments of window functions, by place or by name.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::Window;

use crate::bind::interval_ms;
use crate::error::{Result, SqlError};

/// A window function: its name, its parameters in Flink's order, and how it is written.
pub(super) struct WindowFunction {
    pub name: &'static str,
    parameters: &'static [&'static str],
    pub usage: &'static str,
}

const FUNCTIONS: [WindowFunction; 4] = [
    WindowFunction {
        name: "TUMBLE",
        parameters: &["DATA", "TIMECOL", "SIZE", "OFFSET"],
        usage: "write TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset])",
    },
    WindowFunction {
        name: "HOP",
        parameters: &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        usage: "write HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset])",
    },
    WindowFunction {
        name: "CUMULATE",
        parameters: &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
        usage: "write CUMULATE(TABLE t, DESCRIPTOR(time), step, size [, offset])",
    },
    WindowFunction {
        name: "SESSION",
        parameters: &["DATA", "TIMECOL", "GAP"],
        usage: "write SESSION(TABLE t [PARTITION BY key], DESCRIPTOR(time), gap)",
    },
];

/// A call of a table function.
pub(in crate::query) struct Called<'a> {
    pub name: String,
    pub span: Span,
    pub arguments: &'a [FunctionArg],
}

pub(super) fn window_function(called: &Called<'_>) -> Result<&'static WindowFunction> {
    FUNCTIONS.iter().find(|function| function.name.eq_ignore_ascii_case(&called.name)).ok_or_else(|| {
        let message = format!("there is no table function {}", called.name.to_uppercase());
        SqlError::new(called.span, message, "use TUMBLE, HOP, CUMULATE or SESSION")
    })
}

pub(in crate::query) fn arguments_of(function: &Function) -> Result<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
            Ok(&list.args)
        }
        _ => {
            let message = "the table function needs plain arguments";
            Err(SqlError::new(function.name.span(), message, FUNCTIONS[0].usage))
        }
    }
}

/// Arguments in the order of the parameters.
pub(super) struct Arguments<'a> {
    function: &'static WindowFunction,
    values: Vec<Option<&'a Expr>>,
    span: Span,
}

impl<'a> Arguments<'a> {
    pub(super) fn of(called: &Called<'a>, function: &'static WindowFunction) -> Result<Self> {
        let parameters = function.parameters;
        let mut values = vec![None; parameters.len()];
        for (place, argument) in called.arguments.iter().enumerate() {
            let (place, expression) = match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => (Some(place), expression),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expression), .. } => {
                    let matches = |parameter: &&str| parameter.eq_ignore_ascii_case(&name.value);
                    (parameters.iter().position(matches), expression)
                }
                other => {
                    let message = format!("the argument {other} is not supported");
                    return Err(SqlError::new(other.span(), message, function.usage));
                }
            };
            match place.and_then(|place| values.get_mut(place)) {
                Some(value) if value.is_none() => *value = Some(expression),
                _ => {
                    let message = format!("the argument {argument} does not fit");
                    return Err(SqlError::new(argument.span(), message, function.usage));
                }
            }
        }
        Ok(Self { function, values, span: called.span })
    }

    fn optional(&self, name: &str) -> Option<&'a Expr> {
        let place = self.function.parameters.iter().position(|parameter| *parameter == name)?;
        self.values[place]
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Expr> {
        let missing = || SqlError::new(self.span, format!("the argument {name} is missing"), self.function.usage);
        self.optional(name).ok_or_else(missing)
    }

    pub(super) fn window(&self) -> Result<Window> {
        let measured = |name: &'static str| Ok(Length { name, written: self.required(name)? });
        let offset_ms = self.optional("OFFSET").map_or(Ok(0), interval_ms)?;
        window(self.function.name, &measured, offset_ms)
    }
}

/// An argument that is a length of time.
pub(super) struct Length<'a> {
    pub name: &'static str,
    pub written: &'a Expr,
}

impl Length<'_> {
    fn ms(&self) -> Result<i64> {
        match interval_ms(self.written)? {
            length @ 1.. => Ok(length),
            _ => {
                let message = format!("the {} of a window must be above zero", self.name);
                Err(SqlError::new(self.written.span(), message, "give a longer interval"))
            }
        }
    }
}

/// The windows that a function of this name makes of the lengths that it is given.
pub(super) fn window<'a>(
    name: &str,
    length: &dyn Fn(&'static str) -> Result<Length<'a>>,
    offset_ms: i64,
) -> Result<Window> {
    if name == "SESSION" {
        return Ok(Window::Session { gap_ms: length("GAP")?.ms()? });
    }
    let size = length("SIZE")?;
    let size_ms = size.ms()?;
    let divided_by = |part: &'static str| {
        let part_ms = length(part)?.ms()?;
        if size_ms % part_ms == 0 {
            return Ok(part_ms);
        }
        let part = part.to_lowercase();
        let message = format!("the size of a {name} window is not a multiple of its {part}");
        let remedy = format!("the {part} comes first, then the size, which it must divide");
        Err(SqlError::new(size.written.span(), message, remedy))
    };
    match name {
        "HOP" => {
            let slide_ms = divided_by("SLIDE")?;
            Ok(Window::Hop { size_ms, slide_ms, offset_ms: offset_ms.rem_euclid(slide_ms) })
        }
        "CUMULATE" => {
            let step_ms = divided_by("STEP")?;
            Ok(Window::Cumulate { size_ms, step_ms, offset_ms: offset_ms.rem_euclid(size_ms) })
        }
        _ => Ok(Window::Tumble { size_ms, offset_ms: offset_ms.rem_euclid(size_ms) }),
    }
}
