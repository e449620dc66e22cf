//! SELECT.

use sqlparser::ast::{Distinct, Expr, Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned};
use sqlparser::tokenizer::Span;

use super::from::Source;
use super::join::{absorbed, settled};
use super::{Planner, aggregate, alias, over, ttl};
use crate::bind::{Binder, Grouping, Typed};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role, conjuncts};

impl Planner<'_> {
    pub(super) fn select(&self, select: &Select) -> Result<Relation> {
        let start = select.select_token.0.span;
        refuse_clauses(select, start)?;
        let Source { relation, scope } = self.from(&select.from)?;
        let qualified = alias::qualified(select, &scope);
        let select = qualified.as_ref().unwrap_or(select);
        let relation = match &select.selection {
            Some(condition) => self.restricted(relation, Binder::over(&scope), condition, "WHERE")?,
            None => relation,
        };
        let mut relation = settled(relation, start)?;
        let scope = scope.with_fields(&relation.fields);
        let kept = match self.tables.lifetimes(start) {
            Some(lifetimes) => Some(ttl::Kept::of(lifetimes, &scope)?),
            None => None,
        };
        if let Some(kept) = &kept {
            kept.set_in_joins(&mut relation, 0);
        }
        let mut outcome = aggregate::plan(select, relation, &scope, &self.tables.settings())?;
        if let Some(kept) = kept {
            if let aggregate::Outcome::Aggregated(aggregated) = &mut outcome {
                kept.set_in_aggregation(&mut aggregated.relation);
            }
            kept.unused().into_iter().for_each(|(span, message)| self.tables.warn(span, message));
        }
        let selected = match outcome {
            aggregate::Outcome::Plain(relation) => {
                refuse_having(select)?;
                self.computed(select, relation, Binder::over(&scope))
            }
            aggregate::Outcome::Aggregated(aggregated) => {
                let binder = Binder { grouping: Some(&aggregated.groups), ..Binder::over(&scope) };
                let relation = match &select.having {
                    Some(condition) => {
                        settled(self.restricted(aggregated.relation, binder, condition, "HAVING")?, start)?
                    }
                    None => aggregated.relation,
                };
                self.computed(select, relation, binder)
            }
        }?;
        match &select.distinct {
            None | Some(Distinct::All) => Ok(selected),
            Some(Distinct::Distinct) => Ok(aggregate::distinct(selected)),
            Some(Distinct::On(_)) => {
                Err(SqlError::new(start, "DISTINCT ON is not supported", "keep the first row with ROW_NUMBER"))
            }
        }
    }

    /// What SELECT lists, of the rows that QUALIFY lets through.
    fn computed(&self, select: &Select, relation: Relation, binder: Binder<'_>) -> Result<Relation> {
        let (relation, calls) = over::plan(select, relation, binder)?;
        let binder = Binder { over: Some(&calls), ..binder };
        let relation = match &select.qualify {
            Some(condition) => {
                let condition = binder.condition(condition, "QUALIFY")?;
                absorbed(relation, conjuncts(condition.expression))
            }
            None => relation,
        };
        let (relation, values) = self.with_values(relation, binder, &select.projection)?;
        if values.is_empty() {
            return project(relation, binder, &select.projection);
        }
        let relation = settled(relation, select.select_token.0.span)?;
        let selected = project(relation, Binder { grouping: Some(&values), ..binder }, &select.projection)?;
        // Joined with a row that may change, times mean nothing any more.
        let fields = selected.fields.iter().map(Field::timeless).collect();
        Ok(Relation { fields, ..selected })
    }
}

fn refuse_having(select: &Select) -> Result<()> {
    match &select.having {
        Some(having) => Err(SqlError::new(having.span(), "HAVING needs an aggregation", "use WHERE")),
        None => Ok(()),
    }
}

fn project(relation: Relation, binder: Binder<'_>, items: &[SelectItem]) -> Result<Relation> {
    let columns = expanded(items, binder)?;
    let fields = columns.iter().map(|(typed, role, name): &(Typed, Role, String)| Field {
        name: name.clone(),
        data_type: typed.data_type.clone(),
        nullable: typed.nullable,
        role: *role,
    });
    let fields = fields.collect();
    Ok(relation.calc(None, columns.into_iter().map(|(typed, _, _)| typed.expression).collect(), fields))
}

/// The columns that are selected.
pub(super) fn expanded(items: &[SelectItem], binder: Binder<'_>) -> Result<Vec<(Typed, Role, String)>> {
    let mut columns = Vec::new();
    for item in items {
        let place = columns.len();
        columns.extend(expand(item, binder, place)?);
    }
    Ok(columns)
}

fn expand(item: &SelectItem, binder: Binder<'_>, place: usize) -> Result<Vec<(Typed, Role, String)>> {
    let one = |expression: &Expr, name: String| {
        let (typed, role) = binder.bind_column(expression)?;
        Ok(vec![(typed, role, name)])
    };
    match item {
        SelectItem::UnnamedExpr(expression) => one(expression, name_of(expression, place)),
        SelectItem::ExprWithAlias { expr, alias } => one(expr, alias.value.clone()),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _)
            if binder.grouping.is_some_and(Grouping::hides_columns) =>
        {
            Err(SqlError::new(item.span(), "* is not supported in an aggregation", "name the keys and aggregates"))
        }
        SelectItem::Wildcard(options) => {
            plain_wildcard(options, item)?;
            match binder.scope.expand(None) {
                columns if columns.is_empty() => {
                    Err(SqlError::new(item.span(), "there are no columns that * could stand for", "read from a table"))
                }
                columns => Ok(columns),
            }
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            plain_wildcard(options, item)?;
            match binder.scope.expand(Some(&name.to_string())) {
                columns if columns.is_empty() => Err(SqlError::new(
                    item.span(),
                    format!("there is no table `{name}` in FROM"),
                    "use the table's alias if it has one",
                )),
                columns => Ok(columns),
            }
        }
        other => Err(SqlError::new(other.span(), format!("`{other}` is not supported in SELECT"), "name the columns")),
    }
}

fn plain_wildcard(options: &sqlparser::ast::WildcardAdditionalOptions, item: &SelectItem) -> Result<()> {
    let plain = sqlparser::ast::WildcardAdditionalOptions {
        wildcard_token: options.wildcard_token.clone(),
        ..Default::default()
    };
    match *options == plain {
        true => Ok(()),
        false => Err(SqlError::new(item.span(), format!("`{item}` is not supported"), "name the columns")),
    }
}

/// The name of a column that got none: its own, or Flink's `EXPR$0`.
fn name_of(expression: &Expr, place: usize) -> String {
    match expression {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(path) => path.last().map(|name| name.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => name_of(inner, place),
        _ => format!("EXPR${place}"),
    }
}

fn refuse_clauses(select: &Select, start: Span) -> Result<()> {
    let sorted = !select.cluster_by.is_empty() || !select.distribute_by.is_empty() || !select.sort_by.is_empty();
    let foreign =
        select.top.is_some() || select.into.is_some() || select.prewhere.is_some() || select.exclude.is_some();
    let more = !select.lateral_views.is_empty() || !select.connect_by.is_empty() || select.value_table_mode.is_some();
    if sorted || foreign || more || select.select_modifiers.is_some() || !select.optimizer_hints.is_empty() {
        let message = "SELECT has a clause that Flink SQL does not know";
        return Err(SqlError::new(start, message, "use SELECT, FROM, WHERE, GROUP BY and HAVING"));
    }
    Ok(())
}
