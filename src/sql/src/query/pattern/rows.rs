//! Expressions over the rows of a match: `A.price`, `FIRST(A.price)`, `SUM(A.price)`, `MATCH_ROWTIME()`.

use std::cell::{Cell, RefCell};

use arrow_schema::DataType;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned};
use tidemill_plan::{AggregateFunction, Clock, Expression, Literal, PatternExpression, Position, Reference};

use crate::bind::{Binder, Grouping, Scope, Typed, is_aggregate};
use crate::error::{Result, SqlError};
use crate::query::call::bind_call;
use crate::relation::{Field, Role};

/// What expressions can speak of.
pub(super) struct Rows<'a> {
    pub scope: &'a Scope,
    /// The pattern's variables.
    pub names: &'a [Ident],
    pub fields: &'a [Field],
    pub time: (usize, Clock),
    pub stands: Stands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    InDefine,
    InMeasures,
}

impl Rows<'_> {
    pub(super) fn condition(&self, written: &Expr) -> Result<PatternExpression> {
        let references = References { rows: self, found: RefCell::default() };
        let binder = Binder { grouping: Some(&references), ..Binder::over(self.scope) };
        let expression = binder.condition(written, "DEFINE")?.expression;
        Ok(PatternExpression { expression, references: references.found.into_inner() })
    }

    pub(super) fn measure(&self, written: &Expr) -> Result<(PatternExpression, DataType, Role)> {
        let references = References { rows: self, found: RefCell::default() };
        let binder = Binder { grouping: Some(&references), ..Binder::over(self.scope) };
        let (typed, role) = binder.bind_column(written)?;
        let value = PatternExpression { expression: typed.expression, references: references.found.into_inner() };
        Ok((value, typed.data_type, role))
    }

    /// The column that a name is, and the variable before it.
    fn column(&self, path: &[Ident]) -> Result<(Option<usize>, Typed)> {
        match path {
            [owner, name] => {
                let variable = self.variable(owner)?;
                Ok((Some(variable), self.scope.resolve(std::slice::from_ref(name))?.0))
            }
            path => Ok((None, self.scope.resolve(path)?.0)),
        }
    }

    fn variable(&self, name: &Ident) -> Result<usize> {
        self.names.iter().position(|known| known.value == name.value).ok_or_else(|| {
            let names: Vec<String> = self.names.iter().map(|name| format!("`{}`", name.value)).collect();
            let message = format!("the pattern has no variable `{}`", name.value);
            SqlError::new(name.span, message, format!("its variables are {}", names.join(", ")))
        })
    }
}

/// The values that one expression reads. Columns of the expression are their places.
struct References<'a> {
    rows: &'a Rows<'a>,
    found: RefCell<Vec<Reference>>,
}

impl References<'_> {
    fn note(&self, reference: Reference, data_type: DataType) -> Typed {
        let mut found = self.found.borrow_mut();
        let place = found.iter().position(|known| *known == reference).unwrap_or_else(|| {
            found.push(reference);
            found.len() - 1
        });
        Typed::new(Expression::Column(place), data_type, true)
    }

    fn call(&self, function: &Function, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        let name = function.name.to_string().to_ascii_uppercase();
        let span = function.name.span();
        let refused = |what: &str, remedy: &str| Err(SqlError::new(span, format!("{what} is not supported"), remedy));
        let value = match name.as_str() {
            _ if is_aggregate(expression) => self.aggregate(function)?,
            "FIRST" | "LAST" | "PREV" => self.row(&name, function)?,
            "MATCH_ROWTIME" | "MATCH_PROCTIME" => return self.time(&name, function).map(Some),
            "NEXT" => return refused("NEXT", "rows after a row are not known yet: define a later variable"),
            "CLASSIFIER" => return refused("CLASSIFIER", "measure COUNT of each variable"),
            "MATCH_NUMBER" => return refused("MATCH_NUMBER", "number the matches with ROW_NUMBER"),
            _ => return Ok(None),
        };
        Ok(Some((value, Role::Plain)))
    }

    /// `FIRST(value, n)` and its like.
    fn row(&self, name: &str, function: &Function) -> Result<Typed> {
        let span = function.name.span();
        let usage = || format!("write {name}(A.column) or {name}(A.column, 1)");
        let (value, offset) = match arguments(function).as_deref() {
            Some([value]) => (*value, None),
            Some([value, offset]) => (*value, Some(*offset)),
            _ => return Err(SqlError::new(span, format!("the arguments of {name} do not fit"), usage())),
        };
        let offset = match offset {
            None => u64::from(name == "PREV"),
            Some(written) => constant(written)
                .ok_or_else(|| SqlError::new(written.span(), format!("the offset of {name} is no number"), usage()))?,
        };
        let (variable, value) = self.of_one_variable(value)?;
        let position = match name {
            "FIRST" => Position::First(offset),
            "LAST" => Position::Last(offset),
            _ => Position::Before(offset),
        };
        Ok(self.note(Reference::Row { variable, position, value: value.expression }, value.data_type))
    }

    fn aggregate(&self, function: &Function) -> Result<Typed> {
        let span = function.name.span();
        if let Some(variable) = self.counted(function)? {
            let argument = None;
            let function = AggregateFunction::Count;
            let reference = Reference::Aggregate { variable: Some(variable), function, argument, distinct: false };
            return Ok(Typed { nullable: false, ..self.note(reference, DataType::Int64) });
        }
        let one = OneVariable::of(self.rows);
        let call = bind_call(function.clone(), Binder { grouping: Some(&one), ..Binder::over(self.rows.scope) })?;
        call.refuse_alone(span)?;
        if call.distinct || call.filter.is_some() {
            let message = "DISTINCT and FILTER are not supported in aggregates of a pattern";
            return Err(SqlError::new(span, message, "aggregate the column itself"));
        }
        let reference = Reference::Aggregate {
            variable: one.variable(),
            function: call.function.clone(),
            argument: call.argument.map(|argument| argument.expression),
            distinct: false,
        };
        let nullable = call.function != AggregateFunction::Count;
        Ok(Typed { nullable, ..self.note(reference, call.computed) }.widened(&call.returns))
    }

    /// The variable of a `COUNT(A.*)`.
    fn counted(&self, function: &Function) -> Result<Option<usize>> {
        let FunctionArguments::List(list) = &function.args else { return Ok(None) };
        let [FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name))] = list.args.as_slice() else {
            return Ok(None);
        };
        match name.0.first().and_then(|part| part.as_ident()) {
            Some(name) if function.name.to_string().eq_ignore_ascii_case("COUNT") => self.rows.variable(name).map(Some),
            _ => Ok(None),
        }
    }

    fn of_one_variable(&self, value: &Expr) -> Result<(Option<usize>, Typed)> {
        let one = OneVariable::of(self.rows);
        let value = Binder { grouping: Some(&one), ..Binder::over(self.rows.scope) }.bind(value)?;
        Ok((one.variable(), value))
    }

    /// The time attribute of the match: that of its last row.
    fn time(&self, name: &str, function: &Function) -> Result<(Typed, Role)> {
        let span = function.name.span();
        let (place, clock) = self.rows.time;
        let role = if name == "MATCH_ROWTIME" { Role::Rowtime } else { Role::Proctime };
        if self.rows.stands == Stands::InDefine {
            return Err(SqlError::new(span, format!("{name} is for MEASURES"), "compare the time column of the rows"));
        }
        if role.clock() != Some(clock) {
            let remedy = "order by the kind of time that is asked for, or measure LAST of the time column";
            return Err(SqlError::new(span, format!("the rows are not ordered by the time of {name}"), remedy));
        }
        if arguments(function).is_none_or(|arguments| arguments.len() > usize::from(name == "MATCH_ROWTIME")) {
            return Err(SqlError::new(span, format!("the arguments of {name} do not fit"), format!("write {name}()")));
        }
        let value = Expression::Column(place);
        let reference = Reference::Row { variable: None, position: Position::Last(0), value };
        let value = self.note(reference, self.rows.fields[place].data_type.clone());
        Ok((Typed { nullable: false, ..value }, role))
    }
}

impl Grouping for References<'_> {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        let path = match expression {
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(path) => path,
            Expr::Function(function) => return self.call(function, expression),
            _ => return Ok(None),
        };
        let (variable, value) = self.rows.column(path)?;
        let reference = Reference::Row { variable, position: Position::Last(0), value: value.expression };
        Ok(Some((self.note(reference, value.data_type), Role::Plain)))
    }
}

/// Binds an expression over single rows, which are all of the same variable.
struct OneVariable<'a> {
    rows: &'a Rows<'a>,
    /// None as long as no column has been named.
    variable: Cell<Option<Option<usize>>>,
}

impl<'a> OneVariable<'a> {
    fn of(rows: &'a Rows<'a>) -> Self {
        Self { rows, variable: Cell::new(None) }
    }

    fn variable(&self) -> Option<usize> {
        self.variable.get().flatten()
    }
}

impl Grouping for OneVariable<'_> {
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>> {
        let path = match expression {
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(path) => path,
            Expr::Function(function) if is_aggregate(expression) || is_about_rows(function) => {
                let message = format!("`{function}` cannot stand within another such call");
                return Err(SqlError::new(function.name.span(), message, "call it by itself"));
            }
            _ => return Ok(None),
        };
        let (variable, value) = self.rows.column(path)?;
        if self.variable.get().is_some_and(|known| known != variable) {
            let message = "the call names columns of more than one variable";
            return Err(SqlError::new(path[0].span, message, "name one variable before all its columns"));
        }
        self.variable.set(Some(variable));
        Ok(Some((value, Role::Plain)))
    }
}

fn is_about_rows(function: &Function) -> bool {
    let names = ["FIRST", "LAST", "PREV", "NEXT", "CLASSIFIER", "MATCH_NUMBER", "MATCH_ROWTIME", "MATCH_PROCTIME"];
    names.iter().any(|name| function.name.to_string().eq_ignore_ascii_case(name))
}

/// The arguments, if all are plain expressions.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    match &function.args {
        FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
            let plain = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                _ => None,
            });
            plain.collect()
        }
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::List(_) | FunctionArguments::Subquery(_) => None,
    }
}

fn constant(written: &Expr) -> Option<u64> {
    let typed = Binder::over(&Scope::default()).bind(written).ok()?;
    match typed.expression {
        Expression::Literal(Literal::Int32(value)) => value.try_into().ok(),
        Expression::Literal(Literal::Int64(value)) => value.try_into().ok(),
        _ => None,
    }
}
