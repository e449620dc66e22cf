//! Operators read columns, so what they compute with becomes columns first. Equal expressions share one.

use tidemill_plan::{AggregateCall, Expression};

use super::call::BoundCall;
use crate::bind::Typed;
use crate::relation::{Field, Relation};

pub(super) struct Slots {
    /// The columns that the expressions are over.
    input: Vec<Field>,
    expressions: Vec<Expression>,
    fields: Vec<Field>,
}

impl Slots {
    /// No columns but those that are asked for.
    pub(super) fn of(relation: &Relation) -> Self {
        Self { input: relation.fields.clone(), expressions: Vec::new(), fields: Vec::new() }
    }

    /// The relation's own columns, and behind them those that are asked for.
    pub(super) fn behind(relation: &Relation) -> Self {
        let expressions = (0..relation.fields.len()).map(Expression::Column).collect();
        Self { input: relation.fields.clone(), expressions, fields: relation.fields.clone() }
    }

    pub(super) fn place(&mut self, value: &Typed, name: &str) -> usize {
        self.place_as(value, &Field::plain(name, value.data_type.clone(), value.nullable))
    }

    pub(super) fn place_as(&mut self, value: &Typed, field: &Field) -> usize {
        if let Some(place) = self.expressions.iter().position(|expression| *expression == value.expression) {
            return place;
        }
        self.expressions.push(value.expression.clone());
        self.fields.push(field.clone());
        self.expressions.len() - 1
    }

    pub(super) fn call(&mut self, call: &BoundCall) -> AggregateCall {
        let mut placed = |value: &Option<Typed>, what: &str| {
            let value = value.as_ref()?;
            let name =
                self.column_name(&value.expression).map_or_else(|| format!("{what} of {}", call.name), str::to_string);
            Some(self.place(value, &name))
        };
        AggregateCall {
            function: call.function.clone(),
            argument: placed(&call.argument, "argument"),
            distinct: call.distinct,
            filter: placed(&call.filter, "filter"),
        }
    }

    /// The name of the column that an expression is, be it cast.
    pub(super) fn column_name(&self, expression: &Expression) -> Option<&str> {
        match expression {
            Expression::Column(place) => self.input.get(*place).map(|field| field.name.as_str()),
            Expression::Cast { expression, .. } => self.column_name(expression),
            _ => None,
        }
    }

    /// The relation with these columns only, even if they are its own.
    pub(super) fn onto_anew(self, relation: Relation) -> Relation {
        relation.calc(None, self.expressions, self.fields)
    }

    pub(super) fn onto(self, relation: Relation) -> Relation {
        let unchanged = self.expressions.len() == relation.fields.len()
            && self.expressions.iter().enumerate().all(|(place, expression)| *expression == Expression::Column(place));
        if unchanged { relation } else { relation.calc(None, self.expressions, self.fields) }
    }
}
