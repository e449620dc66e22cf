//! `CROSS JOIN UNNEST(array) AS t (a, b)`: each row once for each element of a collection in it.

use arrow_schema::DataType;
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, JoinConstraint, Spanned, TableAlias, TableFactor};
use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, JoinKind, Literal, NodeKind, Unnest};

use super::from::{Source, renamed};
use super::join::Computed;
use crate::bind::{Binder, Scope};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation};
use crate::types;

/// An UNNEST as it is written.
pub(super) struct Written<'a> {
    collection: &'a Expr,
    with_ordinality: bool,
    alias: Option<&'a TableAlias>,
    span: Span,
}

impl<'a> Written<'a> {
    /// None for anything else; the parser takes it for a table with arguments.
    pub(super) fn of(factor: &'a TableFactor) -> Result<Option<Self>> {
        let TableFactor::Table { name, args: Some(arguments), alias, with_ordinality, .. } = factor else {
            return Ok(None);
        };
        if !name.to_string().eq_ignore_ascii_case("UNNEST") {
            return Ok(None);
        }
        let span = name.span();
        match arguments.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(collection))] => {
                Ok(Some(Self { collection, with_ordinality: *with_ordinality, alias: alias.as_ref(), span }))
            }
            _ => Err(SqlError::new(span, "UNNEST takes one collection", "write one UNNEST for each")),
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn alone(&self) -> SqlError {
        SqlError::new(self.span, "UNNEST has no row to take a collection of", "write it behind a table: FROM t, UNNEST")
    }
}

/// The left rows with their elements. The relation is settled.
pub(super) fn joined(kind: JoinKind, left: Source, written: &Written<'_>) -> Result<Source> {
    if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
        let message = "UNNEST can only be joined by CROSS JOIN and LEFT JOIN";
        return Err(SqlError::new(written.span, message, "use one of the two"));
    }
    let collection = Binder::over(&left.scope).bind(written.collection)?;
    let Some(mut elements) = elements(&collection.data_type, written.alias) else {
        let message = format!("{} is no collection", types::name(&collection.data_type));
        return Err(SqlError::new(written.collection.span(), message, "give UNNEST an ARRAY, a MAP or a MULTISET"));
    };
    if written.with_ordinality {
        elements.push(Field::plain("ORDINALITY", DataType::Int32, false));
    }
    if kind == JoinKind::Left {
        elements = elements.iter().map(Field::nullable).collect();
    }
    let width = left.relation.fields.len();
    let mut computed = Computed::over(&left.relation);
    let column = computed.place_as(collection.expression, Field::plain("collection", collection.data_type, true));
    let relation = computed.onto(left.relation);
    let unnest = NodeKind::Unnest(Unnest { column, kind, with_ordinality: written.with_ordinality });
    let scope = left.scope.beside(named(elements.clone(), written.alias)?);
    Ok(Source { relation: extended(relation, width, unnest, &elements), scope })
}

/// What an operator that adds columns to its input's gives: they stand behind the first `width` of those.
pub(super) fn extended(input: Relation, width: usize, operator: NodeKind, added: &[Field]) -> Relation {
    let wide = input.fields.len();
    let fields = input.fields.iter().chain(added).cloned().collect();
    let relation = Relation::operator(operator, vec![input], fields);
    let places: Vec<usize> = (0..width).chain(wide..wide + added.len()).collect();
    if wide == width { relation } else { relation.picked(&places) }
}

/// What ON says of the rows that came of one, by an UNNEST or a table function: nothing in a LEFT JOIN.
pub(super) fn restricted(
    joined: Source,
    kind: JoinKind,
    constraint: &JoinConstraint,
    (what, span): (&str, Span),
) -> Result<Source> {
    let condition = match constraint {
        JoinConstraint::None => return Ok(joined),
        JoinConstraint::On(condition) => Binder::over(&joined.scope).condition(condition, "ON")?.expression,
        JoinConstraint::Using(_) | JoinConstraint::Natural => {
            return Err(SqlError::new(span, format!("{what} is joined with its own row only"), "write ON TRUE"));
        }
    };
    match (condition, kind) {
        (Expression::Literal(Literal::Boolean(true)), _) => Ok(joined),
        (condition, JoinKind::Inner) => Ok(Source { relation: joined.relation.filtered(condition), ..joined }),
        (_, _) => {
            let message = format!("a LEFT JOIN with {what} can have no condition but TRUE");
            Err(SqlError::new(span, message, "write ON TRUE, and the condition into WHERE"))
        }
    }
}

/// The columns of an element. A single one is called as the alias is, if that names no columns.
fn elements(collection: &DataType, alias: Option<&TableAlias>) -> Option<Vec<Field>> {
    let whole = |data_type: &DataType| {
        let name = alias.map_or("EXPR$0", |alias| alias.name.value.as_str());
        vec![Field::plain(name, data_type.clone(), true)]
    };
    let of_row = |data_type: &DataType| match data_type {
        DataType::Struct(fields) => {
            fields.iter().map(|field| Field::plain(field.name(), field.data_type().clone(), true)).collect()
        }
        other => whole(other),
    };
    match collection {
        DataType::List(element) => Some(of_row(element.data_type())),
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { return None };
            let key = entry.first()?.data_type();
            if *collection == types::multiset(key.clone()) {
                return Some(of_row(key));
            }
            let value = entry.get(1)?.data_type().clone();
            Some(vec![Field::plain("KEY", key.clone(), false), Field::plain("VALUE", value, true)])
        }
        _ => None,
    }
}

/// The elements' columns by their names.
pub(super) fn named(elements: Vec<Field>, alias: Option<&TableAlias>) -> Result<Scope> {
    let Some(alias) = alias else { return Ok(Scope::of_fields(&elements, None)) };
    let names: Vec<_> = alias.columns.iter().map(|column| column.name.clone()).collect();
    let nothing = Relation::operator(NodeKind::Union, Vec::new(), elements);
    let fields = renamed(nothing, &names, alias.name.span)?.fields;
    Ok(Scope::of_fields(&fields, Some(&alias.name.value)))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use sqlparser::parser::Parser;

    use super::*;
    use crate::dialect::FlinkDialect;
    use crate::query::{Planner, Tables};
    use crate::relation::{Node, Role};
    use crate::table::Table;
    use crate::types::TIMESTAMP;

    /// Whatever its name: a table with a time, an array, an array of rows, a map and a multiset.
    struct Anything;

    impl Tables for Anything {
        fn relation(&self, name: &str, _: Span) -> Result<Relation> {
            let list = |element: DataType| DataType::List(Arc::new(arrow_schema::Field::new("item", element, true)));
            let field = |name: &str, data_type| arrow_schema::Field::new(name, data_type, true);
            let row = DataType::Struct(vec![field("a", DataType::Int32), field("b", DataType::Utf8)].into());
            let entry = vec![arrow_schema::Field::new("keys", DataType::Utf8, false), field("values", DataType::Int64)];
            let entries = arrow_schema::Field::new("entries", DataType::Struct(entry.into()), false);
            let physical = vec![
                Field { role: Role::Rowtime, ..Field::plain("at", TIMESTAMP, false) },
                Field::plain("tags", list(DataType::Utf8), true),
                Field::plain("items", list(row), true),
                Field::plain("prices", DataType::Map(Arc::new(entries), false), true),
                Field::plain("colours", types::multiset(DataType::Utf8), true),
            ];
            let columns = physical.iter().cloned().enumerate();
            let columns = columns.map(|(place, field)| (field, Expression::Column(place))).collect();
            let (connector, options) = ("c".to_string(), std::collections::BTreeMap::new());
            let table = tidemill_plan::Table { name: name.to_string(), connector, options, ..Default::default() };
            let (primary_key, in_catalog) = (Vec::new(), false);
            let metadata = Vec::new();
            Ok(Rc::new(Table { table, physical, metadata, columns, primary_key, watermark: None, in_catalog }).scan())
        }
    }

    fn plan(sql: &str) -> Result<Relation> {
        let query = Parser::new(&FlinkDialect).try_with_sql(sql).unwrap().parse_query().unwrap();
        Planner::new(&Anything).query(&query)
    }

    fn check(sql: &str, columns: &str) {
        let planned = plan(sql).unwrap();
        let column = |field: &Field| {
            let null = if field.nullable { "" } else { " NOT NULL" };
            format!("{} {}{null}", field.name, types::name(&field.data_type))
        };
        assert_eq!(planned.fields.iter().map(column).collect::<Vec<_>>().join(", "), columns, "{sql}");
    }

    #[test]
    fn elements_stand_behind_the_row_by_their_names() {
        check("SELECT t.* FROM o CROSS JOIN UNNEST(tags) AS t (tag)", "tag STRING");
        check("SELECT tag FROM o, UNNEST(o.tags) AS tag", "tag STRING");
        check("SELECT b, i.a FROM o CROSS JOIN UNNEST(items) AS i", "b STRING, a INT");
        check("SELECT i.* FROM o CROSS JOIN UNNEST(items) AS i (x, y)", "x INT, y STRING");
        check("SELECT p.* FROM o CROSS JOIN UNNEST(prices) AS p (k, v)", "k STRING NOT NULL, v BIGINT");
        check("SELECT c.* FROM o CROSS JOIN UNNEST(colours) AS c (colour)", "colour STRING");
        let numbered = "SELECT t.* FROM o CROSS JOIN UNNEST(tags) WITH ORDINALITY AS t (tag, n)";
        check(numbered, "tag STRING, n INT NOT NULL");
        check("SELECT t.* FROM o LEFT JOIN UNNEST(prices) AS t (k, v) ON TRUE", "k STRING, v BIGINT");
        check("SELECT x, y FROM o, UNNEST(tags) AS s (x), UNNEST(tags) AS t (y)", "x STRING, y STRING");
    }

    #[test]
    fn a_row_keeps_its_time_and_a_computed_collection_goes_again() {
        let sql = "SELECT * FROM o CROSS JOIN UNNEST(CASE WHEN at IS NULL THEN tags END) AS t (tag)";
        let planned = plan(sql).unwrap();
        assert_eq!(planned.fields.len(), 6);
        assert_eq!(planned.fields[0].role, Role::Rowtime);
        let Node::Calc { input, .. } = &planned.node else { panic!("{planned:?}") };
        let Node::Calc { input, projection, .. } = &input.node else { panic!("{planned:?}") };
        assert_eq!(projection[5], Expression::Column(6));
        let unnest = Unnest { column: 5, kind: JoinKind::Inner, with_ordinality: false };
        assert!(matches!(&input.node, Node::Operator { kind, .. } if **kind == NodeKind::Unnest(unnest)));
    }

    #[test]
    fn what_is_no_collection_or_has_no_row_is_refused() {
        let refused = |sql: &str| plan(sql).unwrap_err().message;
        assert!(refused("SELECT * FROM o CROSS JOIN UNNEST(at) AS t (a)").contains("no collection"));
        assert!(refused("SELECT * FROM UNNEST(tags) AS t (a)").contains("no row"));
        assert!(refused("SELECT * FROM o RIGHT JOIN UNNEST(tags) AS t (a) ON TRUE").contains("CROSS JOIN"));
        assert!(refused("SELECT * FROM o LEFT JOIN UNNEST(tags) AS t (a) ON a = 'x'").contains("no condition"));
        assert!(refused("SELECT * FROM o CROSS JOIN UNNEST(tags, items) AS t (a)").contains("one collection"));
        assert!(refused("SELECT * FROM o CROSS JOIN UNNEST(tags) AS t (a, b)").contains("2 names"));
    }
}
