//! ROW, ARRAY and MAP: what is in them, and making them.

use arrow_schema::DataType;
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, Literal};

use super::scope::advise;
use super::typed::unify;
use super::{Typed, cast};
use crate::error::{Result, SqlError};
use crate::types;

/// `value.name`.
pub(super) fn field(value: Typed, name: &Ident) -> Result<Typed> {
    let DataType::Struct(fields) = &value.data_type else {
        let message = format!("`{}` is asked of {}, which has no fields", name.value, types::name(&value.data_type));
        return Err(SqlError::new(name.span, message, "only a ROW has fields"));
    };
    match fields.iter().position(|field| *field.name() == name.value) {
        Some(place) => Ok(field_at(&value, place)),
        None => {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            let message = format!("the row has no field `{}`", name.value);
            Err(SqlError::new(name.span, message, advise(&name.value, &names)))
        }
    }
}

/// All fields of a ROW with their names.
pub(super) fn fields(value: &Typed) -> Vec<(String, Typed)> {
    match &value.data_type {
        DataType::Struct(fields) => {
            fields.iter().enumerate().map(|(place, field)| (field.name().clone(), field_at(value, place))).collect()
        }
        _ => Vec::new(),
    }
}

fn field_at(value: &Typed, place: usize) -> Typed {
    let DataType::Struct(fields) = &value.data_type else { unreachable!("asked of rows only") };
    let data_type = fields[place].data_type().clone();
    match &value.expression {
        Expression::Construct { parts, .. } => Typed::new(parts[place].clone(), data_type, true),
        other => Typed::new(Expression::Field { expression: Box::new(other.clone()), place }, data_type, true),
    }
}

/// `value[index]`: an ARRAY's element by number from 1, a MAP's value by key.
pub(super) fn element(value: Typed, index: Typed, span: Span) -> Result<Typed> {
    let Some((key, element)) = types::element_of(&value.data_type) else {
        let message = format!("[ ] is asked of {}", types::name(&value.data_type));
        return Err(SqlError::new(span, message, "only an ARRAY or MAP has elements"));
    };
    if matches!(value.data_type, DataType::List(_))
        && index.constant().and_then(|text| text.parse::<i64>().ok()).is_some_and(|number| number < 1)
    {
        return Err(SqlError::new(span, "the elements of an ARRAY are counted from 1", "write 1 for the first"));
    }
    let from = types::name(&index.data_type);
    let narrowed = |index: Typed| match types::is_whole(&index.data_type) && types::is_whole(&key) {
        true => Some(Ok(index.widened(&key))),
        false => cast::assign(index, &key, span),
    };
    let Some(index) = narrowed(index) else {
        let message = format!("the elements of {} are found by {}", types::name(&value.data_type), types::name(&key));
        return Err(SqlError::new(span, message, format!("CAST the {from} to it")));
    };
    let expression = Expression::Element { expression: value.boxed(), index: index?.boxed() };
    Ok(Typed::new(expression, element, true))
}

/// `CARDINALITY(value)`.
pub(super) fn cardinality(value: Typed, span: Span) -> Result<Typed> {
    if types::element_of(&value.data_type).is_none() {
        let message = format!("CARDINALITY is asked of {}", types::name(&value.data_type));
        return Err(SqlError::new(span, message, "give an ARRAY, MAP or MULTISET"));
    }
    let nullable = value.nullable;
    Ok(Typed::new(Expression::Cardinality(value.boxed()), DataType::Int32, nullable))
}

/// `ROW(value, …)`, whose fields Flink calls EXPR$0, EXPR$1 ….
pub(super) fn row(values: Vec<Typed>, span: Span) -> Result<Typed> {
    let values = values.into_iter().map(|value| settled(value, span)).collect::<Result<Vec<_>>>()?;
    let fields = values.iter().enumerate().map(|(place, value)| (format!("EXPR${place}"), value.data_type.clone()));
    Ok(construct(types::row(fields), values))
}

/// `ARRAY[value, …]`.
pub(super) fn array(values: Vec<Typed>, span: Span) -> Result<Typed> {
    let (values, element) = one_type(values, "the elements of the ARRAY", span)?;
    Ok(construct(types::array(element), values))
}

/// `MAP[key, value, …]`.
pub(super) fn map(values: Vec<Typed>, span: Span) -> Result<Typed> {
    if values.len() % 2 == 1 {
        return Err(SqlError::new(span, "a MAP needs a value for each key", "write MAP[key, value, key, value]"));
    }
    let (keys, values): (Vec<_>, Vec<_>) = values.into_iter().enumerate().partition(|(place, _)| place % 2 == 0);
    let of = |parts: Vec<(usize, Typed)>| parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>();
    let (keys, key) = one_type(of(keys), "the keys of the MAP", span)?;
    let (values, value) = one_type(of(values), "the values of the MAP", span)?;
    if types::is_nested(&key) {
        return Err(SqlError::new(span, "the keys of a MAP cannot be nested", "use a STRING or a number as the key"));
    }
    let parts = keys.into_iter().zip(values).flat_map(|(key, value)| [key, value]).collect();
    Ok(construct(types::map(key, value), parts))
}

fn one_type(values: Vec<Typed>, what: &str, span: Span) -> Result<(Vec<Typed>, DataType)> {
    if values.is_empty() {
        return Err(SqlError::new(span, format!("{what} are none, so their type is not known"), "give at least one"));
    }
    let (values, common) = unify(values).map_err(|(left, right)| {
        let message = format!("{what} have the types {} and {}", types::name(&left), types::name(&right));
        SqlError::new(span, message, "CAST them to one type")
    })?;
    let values = values.into_iter().map(|value| settled(value, span)).collect::<Result<_>>()?;
    Ok((values, common))
}

/// A bare NULL has no type that could be kept.
fn settled(value: Typed, span: Span) -> Result<Typed> {
    match value.data_type {
        DataType::Null => Err(SqlError::new(span, "the type of NULL is not known here", "write CAST(NULL AS type)")),
        _ => Ok(value),
    }
}

pub(super) fn construct(of: DataType, parts: Vec<Typed>) -> Typed {
    let parts = parts.into_iter().map(|part| part.expression).collect();
    Typed::new(Expression::Construct { of: of.clone(), parts }, of, false)
}

/// NULL where `value` is, which `made` has been made of.
pub(super) fn null_with(value: Typed, made: Typed) -> Typed {
    if !value.nullable {
        return made;
    }
    let null = Expression::Literal(Literal::Null(made.data_type.clone()));
    let branches = vec![(Expression::IsNull(value.boxed()), null)];
    Typed::new(Expression::Case { branches, otherwise: Some(Box::new(made.expression)) }, made.data_type, true)
}
