//! From a written expression to a typed one.

use sqlparser::ast::{
    AccessExpr, BinaryOperator as BinaryOp, CaseWhen, CastKind, CeilFloorKind, DateTimeField, Expr, Ident, Spanned,
    Subscript, TrimWhereField, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::Span;
use tidemill_plan::BinaryOperator;
use tidemill_plan::functions::CURRENT_WATERMARK;

use super::cast::{self, OnError};
use super::{Scope, Typed, conditional, function, literal, nested, operator, rows, spans};
use crate::error::{Result, SqlError};
use crate::relation::Role;
use crate::types;

/// What stands in the place of whole expressions: above an aggregation, its keys and calls; above windows of rows, what
/// is computed over them.
pub(crate) trait Grouping {
    /// The column of the aggregation's result that this expression is; none if its parts have to be looked at.
    fn resolve(&self, expression: &Expr) -> Result<Option<(Typed, Role)>>;

    /// Whether columns that it does not resolve cannot be named.
    fn hides_columns(&self) -> bool {
        true
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Binder<'a> {
    pub scope: &'a Scope,
    pub grouping: Option<&'a dyn Grouping>,
    /// The calls over windows of rows, which stand above the aggregation.
    pub over: Option<&'a dyn Grouping>,
}

impl<'a> Binder<'a> {
    pub(crate) fn over(scope: &'a Scope) -> Self {
        Self { scope, grouping: None, over: None }
    }

    /// Binds an expression whose value is computed with.
    pub(crate) fn bind(&self, expression: &Expr) -> Result<Typed> {
        self.bind_column(expression).map(|(typed, _)| typed)
    }

    /// Binds an expression that may be a column with a meaning for time.
    pub(crate) fn bind_column(&self, expression: &Expr) -> Result<(Typed, Role)> {
        self.bind_any(expression).map_err(|error| error.or_at(expression.span().start))
    }

    /// Binds a condition.
    pub(crate) fn condition(&self, expression: &Expr, clause: &str) -> Result<Typed> {
        let condition = operator::boolean(self.bind(expression)?, clause, expression.span())?;
        if clause == "ON" && condition.expression.calls(CURRENT_WATERMARK) {
            return Err(no_watermark(expression.span()));
        }
        Ok(condition)
    }

    fn bind_any(&self, expression: &Expr) -> Result<(Typed, Role)> {
        for standing in [self.over, self.grouping].into_iter().flatten() {
            if let Some(found) = standing.resolve(expression)? {
                return Ok(found);
            }
        }
        match expression {
            Expr::Nested(inner) => self.bind_column(inner),
            Expr::Identifier(name) => self.column(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(path) => match self.grouped_row(path)? {
                Some(typed) => Ok((typed, Role::Plain)),
                None => self.column(path),
            },
            Expr::Function(called) if function::is_proctime(called) => {
                Ok((function::bind(self, called)?, Role::Proctime))
            }
            other => Ok((self.bind_composite(other)?, Role::Plain)),
        }
    }

    /// A field of a ROW that is grouped by.
    fn grouped_row(&self, path: &[Ident]) -> Result<Option<Typed>> {
        let Some(grouping) = self.grouping else { return Ok(None) };
        for length in (1..path.len()).rev() {
            let row = match &path[..length] {
                [name] => Expr::Identifier(name.clone()),
                row => Expr::CompoundIdentifier(row.to_vec()),
            };
            if let Ok(Some((typed, _))) = grouping.resolve(&row) {
                return path[length..].iter().try_fold(typed, nested::field).map(Some);
            }
        }
        Ok(None)
    }

    /// Parts of parts: `root.field[index]…`. What is written before the first index may be a column's whole path.
    fn access(&self, root: &Expr, chain: &[AccessExpr], span: Span) -> Result<Typed> {
        let mut path: Vec<Ident> = match root {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(path) => path.clone(),
            _ => Vec::new(),
        };
        let mut rest = chain;
        while let ([AccessExpr::Dot(Expr::Identifier(name)), more @ ..], false) = (rest, path.is_empty()) {
            path.push(name.clone());
            rest = more;
        }
        let mut typed = match path.as_slice() {
            [] => self.bind(root)?,
            [name] => self.bind(&Expr::Identifier(name.clone()))?,
            _ => self.bind(&Expr::CompoundIdentifier(path))?,
        };
        for part in rest {
            typed = match part {
                AccessExpr::Dot(Expr::Identifier(name)) => nested::field(typed, name)?,
                AccessExpr::Subscript(Subscript::Index { index }) => nested::element(typed, self.bind(index)?, span)?,
                other => {
                    let message = format!("`{other}` is not a part of a value");
                    return Err(SqlError::new(span, message, "write value.field, value[number] or value['key']"));
                }
            };
        }
        Ok(typed)
    }

    fn column(&self, path: &[Ident]) -> Result<(Typed, Role)> {
        let found = self.scope.resolve(path)?;
        if self.grouping.is_some_and(Grouping::hides_columns) {
            let name = &path[path.len() - 1];
            let message = format!("the column `{}` is neither grouped by nor aggregated", name.value);
            return Err(SqlError::new(path[0].span, message, "add it to GROUP BY or put it into an aggregate"));
        }
        Ok(found)
    }

    fn bind_composite(&self, expression: &Expr) -> Result<Typed> {
        let span = expression.span();
        match expression {
            Expr::Value(value) => literal::value(value),
            Expr::TypedString(typed) => literal::typed_string(typed),
            Expr::Interval(interval) => literal::interval(interval),
            Expr::BinaryOp { left, op: BinaryOp::Overlaps, right } => spans::overlap(self, left, right, span),
            Expr::BinaryOp { left, op: op @ (BinaryOp::Eq | BinaryOp::NotEq), right } if are_rows(left, right) => {
                let equal = rows::equal(self, values_of(left), values_of(right), span)?;
                Ok(if *op == BinaryOp::Eq { equal } else { rows::not(equal) })
            }
            Expr::BinaryOp { left, op, right } => operator::bind(self.bind(left)?, op, self.bind(right)?, span),
            Expr::UnaryOp { op, expr } => operator::unary(op, self.bind(expr)?, span),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => Ok(conditional::null_test(self.bind(inner)?, true)),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => Ok(conditional::null_test(self.bind(inner)?, false)),
            Expr::IsTrue(inner) => conditional::truth_test(self.bind(inner)?, true, false, span),
            Expr::IsNotTrue(inner) => conditional::truth_test(self.bind(inner)?, true, true, span),
            Expr::IsFalse(inner) => conditional::truth_test(self.bind(inner)?, false, false, span),
            Expr::IsNotFalse(inner) => conditional::truth_test(self.bind(inner)?, false, true, span),
            Expr::IsDistinctFrom(left, right) => conditional::distinct(self.bind(left)?, self.bind(right)?, true, span),
            Expr::IsNotDistinctFrom(left, right) => {
                conditional::distinct(self.bind(left)?, self.bind(right)?, false, span)
            }
            Expr::Between { expr, negated, low, high } => {
                conditional::between(self.bind(expr)?, self.bind(low)?, self.bind(high)?, *negated, span)
            }
            Expr::InList { expr, list, negated } if are_rows(expr, expr) => {
                let found = rows::in_list(self, values_of(expr), list, span)?;
                Ok(if *negated { rows::not(found) } else { found })
            }
            Expr::InList { expr, list, negated } => {
                conditional::in_list(self.bind(expr)?, self.bind_all(list)?, *negated, span)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.as_ref().map(escape_character).transpose()?;
                conditional::like(self.bind(expr)?, self.bind(pattern)?, escape, *negated, span)
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => self.cast(kind, expr, data_type, span),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), span)
            }
            Expr::Function(called) => function::bind(self, called),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, span),
            Expr::Array(written) => nested::array(self.bind_all(&written.elem)?, span),
            Expr::Tuple(values) => nested::row(self.bind_all(values)?, span),
            Expr::Extract { field, expr, .. } => function::call("extract", vec![unit(field), self.bind(expr)?], span),
            Expr::Floor { expr, field } => self.rounded("floor", expr, field, span),
            Expr::Ceil { expr, field } => self.rounded("ceil", expr, field, span),
            Expr::Position { expr, r#in } => function::call("position", vec![self.bind(r#in)?, self.bind(expr)?], span),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let values = parts.into_iter().flatten().map(|part| self.bind(part)).collect::<Result<Vec<_>>>()?;
                function::call("substring", values, span)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let parts = [Some(expr), Some(overlay_what), Some(overlay_from), overlay_for.as_ref()];
                let values = parts.into_iter().flatten().map(|part| self.bind(part)).collect::<Result<Vec<_>>>()?;
                function::call("overlay", values, span)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
                let similar = function::call("similar_to", vec![self.bind(expr)?, self.bind(pattern)?], span)?;
                if *negated { operator::unary(&UnaryOperator::Not, similar, span) } else { Ok(similar) }
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                let values =
                    std::iter::once(expr).chain(trim_what).map(|part| self.bind(part)).collect::<Result<Vec<_>>>()?;
                function::call(name, values, span)
            }
            other => Err(refused(other)),
        }
    }

    fn bind_all(&self, expressions: &[Expr]) -> Result<Vec<Typed>> {
        expressions.iter().map(|expression| self.bind(expression)).collect()
    }

    fn cast(&self, kind: &CastKind, value: &Expr, to: &sqlparser::ast::DataType, span: Span) -> Result<Typed> {
        let on_error = match kind {
            CastKind::Cast => OnError::Fail,
            CastKind::TryCast => OnError::Null,
            CastKind::SafeCast | CastKind::DoubleColon => {
                return Err(SqlError::new(span, "this form of cast is not Flink's", "use CAST or TRY_CAST"));
            }
        };
        let to = types::understand(to).map_err(|problem| SqlError::new(span, problem, "cast to another type"))?;
        if let Some(precision) = to.lost_precision {
            let message = format!(
                "a cast to a timestamp of precision {precision} would lose digits: milliseconds are the finest"
            );
            return Err(SqlError::new(span, message, "cast to TIMESTAMP(3) or TIMESTAMP_LTZ(3)"));
        }
        cast::explicit(self.bind(value)?, &to, on_error, span)
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> Result<Typed> {
        let operand = operand.map(|operand| self.bind(operand)).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        for CaseWhen { condition, result } in conditions {
            let tested = self.bind(condition)?;
            let tested = match &operand {
                Some(operand) => operator::compare(operand.clone(), BinaryOperator::Equal, tested, condition.span())?,
                None => tested,
            };
            branches.push((tested, self.bind(result)?));
        }
        conditional::case(branches, otherwise.map(|value| self.bind(value)).transpose()?, span)
    }

    fn rounded(&self, name: &str, value: &Expr, to: &CeilFloorKind, span: Span) -> Result<Typed> {
        let value = self.bind(value)?;
        match to {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => function::call(name, vec![value], span),
            CeilFloorKind::DateTimeField(field) => {
                function::call(&format!("{name}_time"), vec![unit(field), value], span)
            }
            CeilFloorKind::Scale(_) => {
                Err(SqlError::new(span, format!("{name} with a scale is not supported"), "use ROUND"))
            }
        }
    }
}

/// The values of a row that is written in parentheses.
fn values_of(row: &Expr) -> &[Expr] {
    match row {
        Expr::Tuple(values) => values,
        _ => &[],
    }
}

fn are_rows(left: &Expr, right: &Expr) -> bool {
    !values_of(left).is_empty() && !values_of(right).is_empty()
}

fn unit(field: &DateTimeField) -> Typed {
    Typed::text(field.to_string())
}

fn escape_character(value: &ValueWithSpan) -> Result<char> {
    let Value::SingleQuotedString(text) = &value.value else {
        return Err(SqlError::new(value.span, "ESCAPE needs a character", "write such as ESCAPE '!'"));
    };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(SqlError::new(value.span, "ESCAPE needs one character", "write such as ESCAPE '!'")),
    }
}

fn refused(expression: &Expr) -> SqlError {
    let (what, remedy) = match expression {
        Expr::InSubquery { .. } => ("IN with a subquery here", "make it a condition of WHERE or HAVING, joined by AND"),
        Expr::Exists { .. } => ("EXISTS here", "make it a condition of WHERE or HAVING, joined by AND"),
        Expr::Subquery(_) => ("a subquery as a value here", "put it into SELECT, WHERE or HAVING"),
        Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            ("this comparison with a subquery", "use IN, NOT IN, or compare with MIN or MAX")
        }
        Expr::ILike { .. } => ("ILIKE", "use LOWER(value) LIKE pattern"),
        Expr::SimilarTo { .. } => ("SIMILAR TO with ESCAPE", "use REGEXP(value, 'pattern')"),
        Expr::RLike { .. } => ("RLIKE", "use REGEXP(value, 'pattern')"),
        Expr::Wildcard(_) => ("*", "name the columns"),
        Expr::AtTimeZone { .. } => ("AT TIME ZONE", "times are in UTC"),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
            ("GROUPING SETS", "write one query for each grouping")
        }
        _ => {
            return SqlError::new(
                expression.span(),
                format!("`{expression}` is not supported"),
                "write it another way",
            );
        }
    };
    SqlError::new(expression.span(), format!("{what} is not supported"), remedy)
}

/// Only calculations know how far event time has come.
pub(crate) fn no_watermark(span: Span) -> SqlError {
    SqlError::new(span, "CURRENT_WATERMARK is not known within a join", "compare with it in WHERE")
}
