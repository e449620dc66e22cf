//! Pattern matching: MATCH_RECOGNIZE with one row for each match, as Flink has it.
//!
//! Matches are looked for in each partition's rows in the order of time. [`nfa`] says what a row does to one partial
//! match, [`search`] keeps a partition's partial matches and says where the search goes on after a match, [`matcher`]
//! offers rows to all partitions' searches and evaluates conditions ([`values`]) for them, [`operator`] lets rows wait
//! for the watermark and puts matches out, [`state`] brings all back after a restart.
//!
//! Where Flink's results are not those of the SQL standard, Flink's are followed: a greedy repetition is not left
//! by a row that fits it, of several ways that began with the same row the one that is complete first is the match, and a
//! pattern may not end greedily, quantify more than one variable, or have a variable twice. In one thing Flink is not
//! followed: when a bounded input ends, matches that waited for a partial one that began earlier are put out.

mod aggregate;
mod log;
mod matcher;
mod nfa;
#[cfg(test)]
mod notation;
mod operator;
mod path;
mod search;
#[cfg(test)]
mod search_tests;
mod state;
mod values;
mod waiting;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use tidemill_plan::{Clock, MatchRecognize};

use self::matcher::{Condition, Matcher};
use self::nfa::Nfa;
use self::operator::{MatchOperator, Parts};
use self::search::{Rules, Skip};
use self::values::Formula;
use self::waiting::Order;
use super::{Built, Spec, reason};
use crate::hash::is_hashable;
use crate::rows::RowStore;

/// The operator of a pattern.
pub fn build(pattern: &MatchRecognize, spec: &Spec<'_>) -> Built {
    let input = &spec.inputs.first().ok_or("it has no input")?.schema;
    check_columns(pattern, input)?;
    let uid = &spec.node.uid;
    let nfa = Nfa::compile(&pattern.pattern).map_err(|error| format!("its pattern cannot be run: {error}"))?;
    let after = Skip::new(pattern.after_match, &nfa).ok_or("it skips to a variable that is not in its pattern")?;
    let conditions = conditions(uid, pattern, &nfa, input)?;
    let measures = pattern.measures.iter().map(|measure| Formula::new(uid, &measure.value, &nfa, input));
    let measures: Vec<Formula> = measures.collect::<Result<_, _>>().map_err(|error| reason(&error))?;
    let forgetful = !conditions.iter().any(|condition| matches!(condition, Condition::Match(_)));
    let names = (0..nfa.len()).map(|element| pattern.variables[nfa.variable(element)].name.clone()).collect();
    let reads_before = reads_before(&conditions, &measures);
    let rules = Rules { nfa, after, within_ms: pattern.within_ms, forgetful };
    let store = RowStore::new(SchemaRef::clone(input));
    let operator = MatchOperator::new(Parts {
        uid: uid.clone(),
        partition: pattern.partition.clone(),
        time_column: pattern.time_column,
        clock: pattern.clock,
        order: Order::new(&pattern.then, input).map_err(|error| reason(&error))?,
        measures,
        schema: SchemaRef::clone(&spec.node.schema),
        owned: spec.owned,
        layout: layout(pattern, input),
        matcher: Matcher::new(uid, rules, conditions, names, reads_before, store),
    });
    Ok(Box::new(operator.map_err(|error| reason(&error))?))
}

fn check_columns(pattern: &MatchRecognize, input: &SchemaRef) -> Result<(), String> {
    let then = pattern.then.iter().map(|key| key.column);
    let columns = pattern.partition.iter().copied().chain(then).chain([pattern.time_column]);
    if let Some(column) = columns.into_iter().find(|column| *column >= input.fields().len()) {
        return Err(format!("column {column} is not among the input's columns"));
    }
    if let Some(field) =
        pattern.partition.iter().map(|column| input.field(*column)).find(|field| !is_hashable(field.data_type()))
    {
        return Err(format!("rows cannot be partitioned by `{}`, a {}", field.name(), field.data_type()));
    }
    let time = input.field(pattern.time_column);
    match (time.data_type(), pattern.clock) {
        (DataType::Timestamp(TimeUnit::Millisecond, _), _) | (_, Clock::Processing) => Ok(()),
        (other, Clock::Event) => Err(format!("`{}` is no time, but a {other}", time.name())),
    }
}

/// The elements' conditions.
fn conditions(uid: &str, pattern: &MatchRecognize, nfa: &Nfa, input: &SchemaRef) -> Result<Vec<Condition>, String> {
    let condition = |element: usize| -> Result<Condition, String> {
        let variable = pattern.variables.get(nfa.variable(element)).ok_or("its pattern has an unknown variable")?;
        let Some(condition) = &variable.condition else { return Ok(Condition::None) };
        let formula = Formula::new(uid, condition, nfa, input).map_err(|error| reason(&error))?;
        match formula.data_type() {
            DataType::Boolean if formula.reads_only_candidate(element) => Ok(Condition::Row(formula)),
            DataType::Boolean => Ok(Condition::Match(formula)),
            other => Err(format!("the condition of `{}` is no BOOLEAN, but a {other}", variable.name)),
        }
    };
    (0..nfa.len()).map(condition).collect()
}

fn reads_before(conditions: &[Condition], measures: &[Formula]) -> u64 {
    let conditions = conditions.iter().filter_map(|condition| match condition {
        Condition::None => None,
        Condition::Row(formula) | Condition::Match(formula) => Some(formula),
    });
    conditions.chain(measures).map(Formula::reads_before).max().unwrap_or_default()
}

/// Names what captured state depends on. The conditions are not among it: what follows from the rows follows anew.
fn layout(pattern: &MatchRecognize, input: &SchemaRef) -> String {
    let types: Vec<String> = input.fields().iter().map(|field| field.data_type().to_string()).collect();
    format!(
        "match-recognize/2 partition={:?} clock={:?} after={:?} pattern={:?} columns=[{}]",
        pattern.partition,
        pattern.clock,
        pattern.after_match,
        pattern.pattern,
        types.join(",")
    )
}
