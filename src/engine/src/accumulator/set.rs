//! All aggregates of a node together, over numbered groups.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int8Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use tidemill_plan::{AggregateCall, AggregateFunction, Change};

use super::distinct::{DistinctSet, FILTERS, masks, with_bit};
use super::{Accumulator, Input, Rows, Which, accumulator, single};

/// A call, checked against its input's columns.
#[derive(Clone, Debug)]
pub struct Call {
    pub function: AggregateFunction,
    pub argument: Option<(usize, DataType)>,
    pub filter: Option<usize>,
    pub distinct: bool,
    pub result: DataType,
}

/// A call that cannot be run. It means that planner and engine disagree.
#[derive(Debug, thiserror::Error)]
#[error("{function:?} of {argument:?} is not supported")]
pub struct Unsupported {
    function: AggregateFunction,
    argument: Option<DataType>,
}

impl Call {
    /// `of` tells the type of an input column; it is the place that is unknown where it fails.
    pub fn new(call: &AggregateCall, of: impl Fn(usize) -> Option<DataType>, result: &DataType) -> Result<Self, usize> {
        let argument = match call.argument {
            Some(place) => Some((place, of(place).ok_or(place)?)),
            None => None,
        };
        if let Some(filter) = call.filter.filter(|filter| of(*filter) != Some(DataType::Boolean)) {
            return Err(filter);
        }
        let (function, distinct) = (call.function.clone(), call.distinct);
        Ok(Self { function, argument, filter: call.filter, distinct, result: result.clone() })
    }

    /// Names what the state of the call depends on.
    pub fn layout(&self) -> String {
        let argument = self.argument.as_ref().map_or("*".to_string(), |(_, argument)| argument.to_string());
        let distinct = if self.distinct { "distinct " } else { "" };
        format!("{:?}({distinct}{argument})", self.function)
    }

    /// Whether partial results of the call can be brought together: not where the order of values would be lost.
    pub fn can_merge(&self) -> bool {
        !(self.distinct && matches!(self.function, AggregateFunction::ListAgg { .. }))
    }

    /// The same result by simpler means: equal values make no difference to some functions, and rows that may be
    /// taken back cannot be counted approximately.
    fn simplified(&self, input: Input) -> Self {
        use AggregateFunction as F;
        let mut call = self.clone();
        match self.function {
            F::Min | F::Max | F::FirstValue | F::LastValue => call.distinct = false,
            F::ApproxCountDistinct if input == Input::Updating => {
                (call.function, call.distinct) = (F::Count, true);
            }
            F::ApproxCountDistinct => call.distinct = false,
            _ => call.distinct &= call.argument.is_some(),
        }
        call
    }
}

pub struct Aggregates {
    slots: Vec<Slot>,
    sets: Vec<Set>,
    input: Input,
}

struct Slot {
    accumulator: Box<dyn Accumulator>,
    argument: Option<usize>,
    filter: Option<usize>,
    /// The set, and the filter's bit in it.
    distinct: Option<(usize, usize)>,
    /// Whether rows in which the argument is NULL count, too.
    takes_nulls: bool,
}

struct Set {
    argument: usize,
    filters: Vec<Option<usize>>,
    values: DistinctSet,
}

impl Aggregates {
    pub fn new(calls: &[Call], input: Input) -> Result<Self, Unsupported> {
        let mut wanted: Vec<(usize, DataType, Vec<Option<usize>>)> = Vec::new();
        let mut slots = Vec::with_capacity(calls.len());
        for call in calls {
            let refusal = || Unsupported {
                function: call.function.clone(),
                argument: call.argument.as_ref().map(|(_, argument)| argument.clone()),
            };
            let call = call.simplified(input);
            let argument = call.argument.as_ref().map(|(_, argument)| argument);
            let accumulator = accumulator(&call.function, argument, &call.result, input).ok_or_else(refusal)?;
            let distinct = match call.argument.as_ref().filter(|_| call.distinct) {
                Some((place, argument)) => Some(bit(&mut wanted, *place, argument, call.filter)),
                None => None,
            };
            let argument = call.argument.map(|(place, _)| place);
            let takes_nulls = call.function == AggregateFunction::ArrayAgg;
            slots.push(Slot { accumulator, argument, filter: call.filter, distinct, takes_nulls });
        }
        let mut sets = Vec::with_capacity(wanted.len());
        for (argument, data_type, filters) in wanted {
            let values = DistinctSet::new(&data_type, filters.len(), input)
                .ok_or_else(|| Unsupported { function: AggregateFunction::Count, argument: Some(data_type.clone()) })?;
            sets.push(Set { argument, filters, values });
        }
        Ok(Self { slots, sets, input })
    }

    /// Takes in the rows of `columns`, whose groups are `groups`, of `count` groups by now. `changes` tells which rows
    /// come and which go.
    pub fn update(
        &mut self,
        groups: &[u32],
        count: usize,
        columns: &[ArrayRef],
        changes: Option<&Int8Array>,
    ) -> Result<(), ArrowError> {
        self.grow(count);
        let Some(changes) = changes else { return self.take(groups, columns, None, Direction::In) };
        let additions = additions(changes);
        let added = additions.count_set_bits();
        // First all that come: nothing is ever taken back before it was there.
        if added == changes.len() {
            return self.take(groups, columns, None, Direction::In);
        }
        if added > 0 {
            self.take(groups, columns, Some(&NullBuffer::new(additions.clone())), Direction::In)?;
        }
        self.take(groups, columns, Some(&NullBuffer::new(!&additions)), Direction::Back)
    }

    fn take(
        &mut self,
        groups: &[u32],
        columns: &[ArrayRef],
        rows: Option<&NullBuffer>,
        direction: Direction,
    ) -> Result<(), ArrowError> {
        let single = single(groups);
        for slot in self.slots.iter_mut().filter(|slot| slot.distinct.is_none()) {
            let argument = slot.argument.map(|place| &columns[place]);
            let filter = slot.filter.map(|place| columns[place].as_boolean());
            let counted = counted(argument.filter(|_| !slot.takes_nulls), filter, rows);
            let rows = Rows { groups, single, argument, counted: counted.as_ref() };
            direction.apply(&mut *slot.accumulator, &rows)?;
        }
        for number in 0..self.sets.len() {
            let set = &mut self.sets[number];
            let values = &columns[set.argument];
            let filters: Vec<_> =
                set.filters.iter().map(|filter| filter.map(|place| columns[place].as_boolean())).collect();
            let masks = masks(values, &filters, rows);
            let changed = match direction {
                Direction::In => set.values.add(groups, values, &masks)?,
                Direction::Back => set.values.remove(groups, values, &masks)?,
            };
            self.hand_on(number, groups, values, &changed, direction)?;
        }
        Ok(())
    }

    /// Hands on to the aggregates of a set what is new to it or gone.
    fn hand_on(
        &mut self,
        number: usize,
        groups: &[u32],
        values: &ArrayRef,
        changed: &[u32],
        direction: Direction,
    ) -> Result<(), ArrowError> {
        if changed.iter().all(|bits| *bits == 0) {
            return Ok(());
        }
        let single = single(groups);
        for slot in &mut self.slots {
            let Some((_, bit)) = slot.distinct.filter(|(set, _)| *set == number) else { continue };
            let counted = with_bit(changed, bit);
            let rows = Rows { groups, single, argument: Some(values), counted: Some(&counted) };
            direction.apply(&mut *slot.accumulator, &rows)?;
        }
        Ok(())
    }

    /// Takes in states that aggregates of the same calls put out, a row for each of `groups`. Only where rows are
    /// never taken back.
    pub fn merge(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.grow(count);
        for number in 0..self.sets.len() {
            let (groups, values, fresh) = self.sets[number].values.merge(groups, &states[2 * number..])?;
            self.hand_on(number, &groups, &values, &fresh, Direction::In)?;
        }
        self.merge_slots(groups, states, |slot| slot.distinct.is_none())
    }

    /// Takes back states of groups that nothing has come for yet.
    pub fn restore(&mut self, groups: &[u32], count: usize, states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.grow(count);
        for (number, set) in self.sets.iter_mut().enumerate() {
            set.values.restore(groups, &states[2 * number..])?;
        }
        self.merge_slots(groups, states, |_| true)
    }

    fn merge_slots(
        &mut self,
        groups: &[u32],
        states: &[ArrayRef],
        which: impl Fn(&Slot) -> bool,
    ) -> Result<(), ArrowError> {
        let mut next = 2 * self.sets.len();
        for slot in &mut self.slots {
            let width = slot.accumulator.width();
            if which(slot) {
                slot.accumulator.merge(groups, &states[next..next + width])?;
            }
            next += width;
        }
        Ok(())
    }

    /// The states of all calls as columns.
    pub fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut states = Vec::new();
        for set in &self.sets {
            states.extend(set.values.states(which)?);
        }
        for slot in &self.slots {
            states.extend(slot.accumulator.states(which)?);
        }
        Ok(states)
    }

    /// The results, a column for each call.
    pub fn finish(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.slots.iter().map(|slot| slot.accumulator.finish(which)).collect()
    }

    /// The results of one call.
    pub fn result(&self, call: usize, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        self.slots[call].accumulator.finish(which)
    }

    /// Makes groups as if nothing had come for them.
    pub fn clear(&mut self, groups: &[u32]) {
        self.sets.iter_mut().for_each(|set| set.values.clear(groups));
        self.slots.iter_mut().for_each(|slot| slot.accumulator.clear(groups));
    }

    /// Forgets the groups for which `keep` is false; the others are numbered anew, in their order.
    pub fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        self.sets.iter_mut().try_for_each(|set| set.values.retain(keep, self.input))?;
        self.slots.iter_mut().try_for_each(|slot| slot.accumulator.retain(keep))
    }

    pub fn bytes(&self) -> usize {
        let sets: usize = self.sets.iter().map(|set| set.values.bytes()).sum();
        sets + self.slots.iter().map(|slot| slot.accumulator.bytes()).sum::<usize>()
    }

    /// Makes room for this many groups.
    pub fn grow(&mut self, count: usize) {
        self.sets.iter_mut().for_each(|set| set.values.grow(count));
        self.slots.iter_mut().for_each(|slot| slot.accumulator.grow(count));
    }
}

#[derive(Clone, Copy)]
enum Direction {
    In,
    Back,
}

impl Direction {
    fn apply(self, accumulator: &mut dyn Accumulator, rows: &Rows<'_>) -> Result<(), ArrowError> {
        match self {
            Self::In => accumulator.update(rows),
            Self::Back => accumulator.retract(rows),
        }
    }
}

/// The set for a column and the bit of a filter in it, made if there is none yet.
fn bit(
    sets: &mut Vec<(usize, DataType, Vec<Option<usize>>)>,
    argument: usize,
    data_type: &DataType,
    filter: Option<usize>,
) -> (usize, usize) {
    let of_column = |(_, (place, _, _)): &(usize, &(usize, DataType, Vec<Option<usize>>))| *place == argument;
    for (number, (_, _, filters)) in sets.iter().enumerate().filter(of_column) {
        if let Some(bit) = filters.iter().position(|known| *known == filter) {
            return (number, bit);
        }
    }
    let place = sets.iter().position(|(place, _, filters)| *place == argument && filters.len() < FILTERS);
    let number = place.unwrap_or_else(|| {
        sets.push((argument, data_type.clone(), Vec::new()));
        sets.len() - 1
    });
    sets[number].2.push(filter);
    (number, sets[number].2.len() - 1)
}

/// Which rows come, as against those that go.
pub fn additions(changes: &Int8Array) -> BooleanBuffer {
    let changes = changes.values();
    let (insert, after) = (Change::Insert as i8, Change::UpdateAfter as i8);
    BooleanBuffer::collect_bool(changes.len(), |row| changes[row] == insert || changes[row] == after)
}

/// The rows that count: those of `rows` in which the argument is not NULL and the filter is true. None if all do.
pub fn counted(
    argument: Option<&ArrayRef>,
    filter: Option<&BooleanArray>,
    rows: Option<&NullBuffer>,
) -> Option<NullBuffer> {
    let not_null = argument.and_then(|argument| argument.nulls()).filter(|nulls| nulls.null_count() > 0);
    let let_through = filter.map(|filter| {
        NullBuffer::new(match filter.nulls() {
            Some(nulls) => filter.values() & nulls.inner(),
            None => filter.values().clone(),
        })
    });
    let counted = NullBuffer::union(not_null, let_through.as_ref());
    if rows.is_none() {
        return counted;
    }
    NullBuffer::union(counted.as_ref(), rows)
}
