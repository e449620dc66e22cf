//! The input of an aggregation, laid out: what keys and calls read stands in columns, and rows are there once for each
//! set of keys.

use std::collections::BTreeSet;

use arrow_schema::DataType;
use tidemill_plan::{AggregateCall, Expand, Expression, Literal, NodeKind};

use super::keys::{Grouping, Key};
use crate::bind::Typed;
use crate::query::call::BoundCall;
use crate::query::slots::Slots;
use crate::relation::{Field, Relation};

pub(super) struct Laid {
    pub input: Relation,
    /// Where the keys are. With several sets of keys the last of them is the set's number.
    pub keys: Vec<usize>,
    pub aggregates: Vec<AggregateCall>,
    /// Where the further columns are.
    pub others: Vec<usize>,
}

impl Laid {
    pub(super) fn of(
        relation: Relation,
        grouping: &Grouping,
        keys: &[usize],
        calls: &[BoundCall],
        others: &[(Typed, Field)],
    ) -> Self {
        let mut slots = Slots::of(&relation);
        let place = |slots: &mut Slots, key: &Key| slots.place(&key.value, &key.name);
        let key_places = keys.iter().map(|key| place(&mut slots, &grouping.keys[*key])).collect();
        let others = others.iter().map(|(value, field)| slots.place_as(value, field)).collect();
        let aggregates = calls.iter().map(|call| slots.call(call)).collect();
        let laid = Self { input: slots.onto_anew(relation), keys: key_places, aggregates, others };
        if grouping.has_sets() { laid.copied(grouping, keys) } else { laid }
    }

    /// Each row once for each set of keys: with copies of the keys that are NULL where they are not in the set.
    fn copied(self, grouping: &Grouping, keys: &[usize]) -> Self {
        let width = self.input.fields.len();
        let mut fields = self.input.fields.clone();
        fields.extend(keys.iter().map(|key| key_field(grouping, *key)));
        fields.push(number_field());
        let copy = |(set, number): (&BTreeSet<usize>, i64)| -> Vec<Expression> {
            let key = |(key, place): (&usize, &usize)| match set.contains(key) {
                true => Expression::Column(*place),
                false => Expression::Literal(Literal::Null(grouping.keys[*key].value.data_type.clone())),
            };
            let own = (0..width).map(Expression::Column);
            let number = Expression::Literal(Literal::Int64(number));
            own.chain(keys.iter().zip(&self.keys).map(key)).chain([number]).collect()
        };
        let projections = grouping.sets.iter().zip(numbers(grouping)).map(copy).collect();
        let input = Relation::operator(NodeKind::Expand(Expand { projections }), vec![self.input], fields);
        Self { input, keys: (width..=width + keys.len()).collect(), ..self }
    }
}

/// The key as it is in the result.
pub(super) fn key_field(grouping: &Grouping, key: usize) -> Field {
    let Key { value, name, .. } = &grouping.keys[key];
    Field::plain(name, value.data_type.clone(), value.nullable || !grouping.is_in_every_set(key))
}

pub(super) fn number_field() -> Field {
    Field::plain("grouping_id", DataType::Int64, false)
}

/// The numbers of the sets: a bit for each key that is left out, the first key's the highest. A set that is there again
/// gets another number, so that its rows are counted on their own.
pub(super) fn numbers(grouping: &Grouping) -> Vec<i64> {
    let keys = grouping.keys.len();
    let bits = |set: &BTreeSet<usize>| (0..keys).fold(0i64, |bits, key| bits << 1 | i64::from(!set.contains(&key)));
    let earlier = |place: usize| grouping.sets[..place].iter().filter(|set| **set == grouping.sets[place]).count();
    grouping.sets.iter().enumerate().map(|(place, set)| bits(set) + ((earlier(place) as i64) << keys)).collect()
}
