//! Window functions in FROM: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))`.
//!
//! They put every row out once for each of its windows. Where the rows are then aggregated in these windows, the
//! optimiser spares the copies ([`crate::optimise`]).

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned};
use sqlparser::tokenizer::Span;
use tidemill_plan::{AssignWindows, Clock, Expression, NodeKind, Window};

use super::Planner;
use crate::bind::{Scope, interval_ms};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
use crate::types::{self, TIMESTAMP};

const TUMBLE: &[&str] = &["DATA", "TIMECOL", "SIZE", "OFFSET"];
const HOP: &[&str] = &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"];

/// A call of a table function.
pub(super) struct Called<'a> {
    pub name: String,
    pub span: Span,
    pub arguments: &'a [FunctionArg],
}

pub(super) fn arguments_of(function: &Function) -> Result<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
            Ok(&list.args)
        }
        _ => Err(SqlError::new(function.name.span(), "the table function needs plain arguments", usage(TUMBLE))),
    }
}

fn usage(parameters: &[&str]) -> String {
    match parameters == HOP {
        true => "write HOP(TABLE t, DESCRIPTOR(time), slide, size [, offset])".to_string(),
        false => "write TUMBLE(TABLE t, DESCRIPTOR(time), size [, offset])".to_string(),
    }
}

impl Planner<'_> {
    pub(super) fn windowed(&self, called: &Called<'_>) -> Result<Relation> {
        let parameters = match called.name.to_ascii_uppercase().as_str() {
            "TUMBLE" => TUMBLE,
            "HOP" => HOP,
            name @ ("CUMULATE" | "SESSION") => {
                return Err(SqlError::new(
                    called.span,
                    format!("{name} windows are not supported"),
                    "use TUMBLE or HOP",
                ));
            }
            name => {
                return Err(SqlError::new(
                    called.span,
                    format!("there is no table function {name}"),
                    "use TUMBLE or HOP",
                ));
            }
        };
        let arguments = Arguments::of(called, parameters)?;
        let relation = self.table_argument(arguments.required("DATA")?)?;
        let window = arguments.window()?;
        assigned(relation, arguments.required("TIMECOL")?, window, called.span)
    }
}

/// Arguments in the order of the parameters.
struct Arguments<'a> {
    parameters: &'static [&'static str],
    values: Vec<Option<&'a Expr>>,
    span: Span,
}

impl<'a> Arguments<'a> {
    fn of(called: &Called<'a>, parameters: &'static [&'static str]) -> Result<Self> {
        let mut values = vec![None; parameters.len()];
        for (place, argument) in called.arguments.iter().enumerate() {
            let (place, expression) = match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => (Some(place), expression),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expression), .. } => {
                    let matches = |parameter: &&str| parameter.eq_ignore_ascii_case(&name.value);
                    (parameters.iter().position(matches), expression)
                }
                other => {
                    return Err(SqlError::new(
                        other.span(),
                        format!("the argument {other} is not supported"),
                        usage(parameters),
                    ));
                }
            };
            match place.and_then(|place| values.get_mut(place)) {
                Some(value) if value.is_none() => *value = Some(expression),
                _ => {
                    return Err(SqlError::new(
                        argument.span(),
                        format!("the argument {argument} does not fit"),
                        usage(parameters),
                    ));
                }
            }
        }
        Ok(Self { parameters, values, span: called.span })
    }

    fn optional(&self, name: &str) -> Option<&'a Expr> {
        let place = self.parameters.iter().position(|parameter| *parameter == name)?;
        self.values[place]
    }

    fn required(&self, name: &str) -> Result<&'a Expr> {
        self.optional(name)
            .ok_or_else(|| SqlError::new(self.span, format!("the argument {name} is missing"), usage(self.parameters)))
    }

    fn length(&self, name: &str) -> Result<i64> {
        let expression = self.required(name)?;
        match interval_ms(expression)? {
            length @ 1.. => Ok(length),
            _ => Err(SqlError::new(
                expression.span(),
                format!("the {name} of a window must be above zero"),
                "give a longer interval",
            )),
        }
    }

    fn window(&self) -> Result<Window> {
        let size_ms = self.length("SIZE")?;
        let offset_ms = self.optional("OFFSET").map_or(Ok(0), interval_ms)?;
        if self.parameters != HOP {
            return Ok(Window::Tumble { size_ms, offset_ms: offset_ms.rem_euclid(size_ms) });
        }
        let slide_ms = self.length("SLIDE")?;
        if size_ms % slide_ms != 0 {
            let span = self.required("SIZE")?.span();
            let message = "the size of a HOP window is not a multiple of its slide";
            return Err(SqlError::new(span, message, "the slide comes first, then the size, which it must divide"));
        }
        Ok(Window::Hop { size_ms, slide_ms, offset_ms: offset_ms.rem_euclid(slide_ms) })
    }
}

/// The rows, once for each window that they are in, with the window's bounds and time.
fn assigned(relation: Relation, descriptor: &Expr, window: Window, span: Span) -> Result<Relation> {
    let (time_column, time, clock) = time_column(&relation, descriptor)?;
    if !relation.only_grows() {
        let message = "rows that may be taken back cannot be assigned to windows";
        return Err(SqlError::new(span, message, "assign them before they are aggregated or joined"));
    }
    let mut fields = relation.fields.clone();
    let bound = |name: &str, role| Field { role, ..Field::plain(name, TIMESTAMP, false) };
    let new = [
        bound("window_start", Role::WindowStart(clock)),
        bound("window_end", Role::WindowEnd(clock)),
        Field { nullable: false, ..time.named("window_time") },
    ];
    for field in &new {
        if fields.iter().any(|known| known.name == field.name) {
            let message = format!("the input has a column `{}` already", field.name);
            return Err(SqlError::new(span, message, "rename it with AS in a subquery or view"));
        }
    }
    // A row's own time says nothing of the watermark any more once it stands for its windows.
    for field in fields.iter_mut().filter(|field| field.role.clock().is_some()) {
        field.role = Role::Plain;
    }
    fields.extend(new);
    let kind = NodeKind::AssignWindows(AssignWindows { window, time_column });
    Ok(Relation::operator(kind, vec![relation], fields))
}

fn time_column(relation: &Relation, descriptor: &Expr) -> Result<(usize, Field, Clock)> {
    let wrong = || {
        SqlError::new(descriptor.span(), format!("expected DESCRIPTOR(column) but found `{descriptor}`"), usage(TUMBLE))
    };
    let Expr::Function(function) = descriptor else {
        return Err(wrong());
    };
    let arguments = arguments_of(function)?;
    let (true, [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name)))]) =
        (function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR"), arguments)
    else {
        return Err(wrong());
    };
    let (typed, role) = Scope::of(relation, None).resolve(std::slice::from_ref(name))?;
    match (role.clock(), typed.expression) {
        (Some(clock), Expression::Column(place)) => Ok((place, relation.fields[place].clone(), clock)),
        _ => {
            let message = format!(
                "`{}` ({}) has no watermark, so windows would never end",
                name.value,
                types::name(&typed.data_type)
            );
            let remedy = "use the column that the table's WATERMARK is for, unchanged by the query";
            Err(SqlError::new(name.span, message, remedy))
        }
    }
}
