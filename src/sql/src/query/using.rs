//! `JOIN … USING (a, b)` and NATURAL JOIN: equalities of columns that have the same name on both sides, of which the name
//! alone means one then.

use std::collections::BTreeSet;

use sqlparser::ast::{Ident, JoinConstraint};
use sqlparser::tokenizer::Span;
use tidemill_plan::{BinaryOperator, Expression, JoinKind};

use super::from::Source;
use super::join::settled;
use crate::bind::{Merged, Scope, Typed, compare, first_of};
use crate::error::Result;
use crate::relation::Field;

/// The names that USING lists, or those that both sides of a NATURAL JOIN have; none for another constraint.
pub(super) fn names(constraint: &JoinConstraint, left: &Scope, right: &Scope) -> Vec<Ident> {
    match constraint {
        JoinConstraint::Using(names) => names.iter().filter_map(|name| name.0.last()?.as_ident().cloned()).collect(),
        JoinConstraint::Natural => {
            let right: BTreeSet<&str> = right.names().collect();
            let shared = left.names().filter(|name| !name.is_empty() && right.contains(name));
            shared.map(Ident::new).collect()
        }
        JoinConstraint::On(_) | JoinConstraint::None => Vec::new(),
    }
}

/// The left and the right column of a name, over the columns of both sides.
pub(super) type Pair = [Typed; 2];

pub(super) fn pairs(names: &[Ident], left: &Source, right: &Source) -> Result<Vec<Pair>> {
    let width = left.relation.fields.len();
    let pair = |name: &Ident| {
        let path = std::slice::from_ref(name);
        Ok([left.scope.resolve(path)?.0, right.scope.resolve(path)?.0.moved(width)])
    };
    names.iter().map(pair).collect()
}

pub(super) fn equalities(pairs: &[Pair], span: Span) -> Result<Vec<Expression>> {
    let equal = |[left, right]: &Pair| compare(left.clone(), BinaryOperator::Equal, right.clone(), span);
    pairs.iter().map(|pair| Ok(equal(pair)?.expression)).collect()
}

/// The join, in whose scope each name means one column: that of the side whose rows are all there; after a FULL JOIN
/// the one that is not NULL.
pub(super) fn merged(kind: JoinKind, joined: Source, pairs: Vec<Pair>, span: Span) -> Result<Source> {
    let Source { relation, mut scope } = joined;
    let places = |[left, right]: &Pair| Some([column(left)?, column(right)?]);
    let places: Vec<[usize; 2]> = pairs.iter().filter_map(places).collect();
    if kind != JoinKind::Full || pairs.is_empty() {
        let one = usize::from(kind == JoinKind::Right);
        scope.merge(places.into_iter().map(|of| Merged { one: of[one], of }).collect());
        return Ok(Source { relation, scope });
    }
    let relation = settled(relation, span)?;
    let width = relation.fields.len();
    let mut fields = relation.fields.clone();
    let mut projection: Vec<Expression> = (0..width).map(Expression::Column).collect();
    for [left, right] in pairs {
        let name = column(&left).map(|place| relation.fields[place].name.clone()).unwrap_or_default();
        let one = first_of(vec![nullable(left), nullable(right)], span)?;
        fields.push(Field::plain(name, one.data_type, one.nullable));
        projection.push(one.expression);
    }
    let mut scope = scope.beside(Scope::of_fields(&fields[width..], None));
    let merged = places.into_iter().enumerate().map(|(number, of)| Merged { one: width + number, of });
    scope.merge(merged.collect());
    Ok(Source { relation: relation.calc(None, projection, fields), scope })
}

fn column(value: &Typed) -> Option<usize> {
    match value.expression {
        Expression::Column(place) => Some(place),
        _ => None,
    }
}

fn nullable(value: Typed) -> Typed {
    Typed { nullable: true, ..value }
}
