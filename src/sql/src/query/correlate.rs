//! `LATERAL TABLE(f(x)) AS t (a, b)`: each row once for each row that a table function gives for it.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, Spanned, TableAlias, TableFactor};
use sqlparser::tokenizer::Span;
use tidemill_functions::Returns;
use tidemill_plan::{Correlate, JoinKind, NodeKind};

use super::from::Source;
use super::join::Computed;
use super::unnest::{extended, named};
use crate::bind::{Binder, Scope, Typed, near, positional, refuse_clauses};
use crate::error::{Result, SqlError};
use crate::relation::Field;
use crate::user::{self, UserFunctions};

/// A call as it is written.
pub(super) struct Written<'a> {
    function: &'a Function,
    alias: Option<&'a TableAlias>,
    span: Span,
}

impl<'a> Written<'a> {
    /// None for anything else. Without LATERAL it may be a function of our own, for windows.
    pub(super) fn of(factor: &'a TableFactor, functions: &UserFunctions) -> Option<Self> {
        let (function, alias) = match factor {
            TableFactor::Function { lateral: true, name, args, alias, .. }
                if name.to_string().eq_ignore_ascii_case("TABLE") =>
            {
                match args.as_slice() {
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function)))] => (function, alias),
                    _ => return None,
                }
            }
            TableFactor::TableFunction { expr: Expr::Function(function), alias }
                if functions.forms(&function.name.to_string()).is_some() =>
            {
                (function, alias)
            }
            _ => return None,
        };
        Some(Self { function, alias: alias.as_ref(), span: function.name.span() })
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn alone(&self) -> SqlError {
        SqlError::new(self.span, "the table function has no row to be called for", "write it behind a table: FROM t, …")
    }
}

/// The left rows with those that the function gives. The relation is settled.
pub(super) fn joined(kind: JoinKind, left: Source, written: &Written<'_>) -> Result<Source> {
    if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
        let message = "a table function can only be joined by CROSS JOIN and LEFT JOIN … ON TRUE";
        return Err(SqlError::new(written.span, message, "use one of the two"));
    }
    refuse_clauses(written.function, written.span)?;
    let name = written.function.name.to_string();
    let forms = left.scope.functions().forms(&name).ok_or_else(|| unknown(&left.scope, &name, written.span))?;
    let binder = Binder::over(&left.scope);
    let values = positional(written.function)?.into_iter().map(|value| binder.bind(value)).collect::<Result<_>>()?;
    let (form, values) = user::chosen(forms, values, written.span)?;
    let Returns::Table(columns) = &form.signature.returns else {
        let message = format!("{name} gives one value and no rows");
        return Err(SqlError::new(written.span, message, "call it in SELECT"));
    };
    let function = form.function.clone();
    let given: Vec<Field> =
        columns.iter().map(|column| Field::plain(column.name.clone(), column.of.data_type(), true)).collect();
    let width = left.relation.fields.len();
    let mut computed = Computed::over(&left.relation);
    let argument = |(number, value): (usize, Typed)| {
        let field = Field::plain(format!("argument{number}"), value.data_type, value.nullable);
        computed.place_as(value.expression, field)
    };
    let arguments = values.into_iter().enumerate().map(argument).collect();
    let relation = computed.onto(left.relation);
    let correlate = NodeKind::Correlate(Correlate { function, arguments, kind });
    let scope = left.scope.beside(named(given.clone(), written.alias)?);
    Ok(Source { relation: extended(relation, width, correlate, &given), scope })
}

fn unknown(scope: &Scope, name: &str, span: Span) -> SqlError {
    let message = format!("there is no table function `{name}`");
    let remedy = match near(name, scope.functions().names()).first() {
        Some(near) => format!("did you mean `{near}`"),
        None => "create it with CREATE FUNCTION, or use UNNEST for a collection".to_string(),
    };
    SqlError::new(span, message, remedy)
}
