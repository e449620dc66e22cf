//! Joins of two inputs. Both bring their rows to the thread that owns the key ([`crate::stages`]), and every join keeps
//! the rows that may be needed again in [`crate::rows::RowStore`]s.
//!
//! - [`on`]: which rows can match at all, and which of the pairs that equal keys make up do.
//! - [`chains`]: the rows of each key, as lists of row numbers.
//! - [`regular`]: the join of rows that may come and go, with [`matching`] as its heart.
//! - [`interval`]: the join of rows whose times are near each other, found by [`buckets`] of time.
//! - [`results`]: result rows, noted as pairs of numbers and put together column by column.
//! - [`temporal`]: the join with the version of a table's row that was valid, found among its [`versions`].
//! - [`lookup`]: the join with what a table outside holds, which keeps nothing.
//! - [`state`]: rows of both sides as captured rows of one schema.
//!
//! A side is told by its number among the inputs: [`LEFT`] or [`RIGHT`].

mod ages;
mod buckets;
mod chains;
mod identities;
mod interval;
mod interval_matching;
mod interval_state;
mod lookup;
mod matching;
mod on;
mod regular;
mod regular_state;
mod results;
mod side;
mod state;
mod temporal;
mod temporal_state;
mod versions;
mod waiting;

use arrow::datatypes::SchemaRef;
use tidemill_plan::{IntervalJoin, Join, LookupJoin, PlanNode, TemporalJoin};

use super::{Built, Spec};

/// A side of a join: the number of the input.
type Side = usize;

const LEFT: Side = 0;
const RIGHT: Side = 1;

/// Pairs that are looked at, and so about the rows put out, at once.
const PAIRS: usize = 8192;

pub fn build_regular(join: &Join, spec: &Spec<'_>) -> Built {
    Ok(Box::new(regular::JoinOperator::new(join, spec)?))
}

pub fn build_interval(join: &IntervalJoin, spec: &Spec<'_>) -> Built {
    Ok(Box::new(interval::IntervalJoinOperator::new(join, spec)?))
}

pub fn build_temporal(join: &TemporalJoin, spec: &Spec<'_>) -> Built {
    Ok(Box::new(temporal::TemporalJoinOperator::new(join, spec)?))
}

pub fn build_lookup(join: &LookupJoin, spec: &Spec<'_>) -> Built {
    Ok(Box::new(lookup::LookupJoinOperator::new(join, spec)?))
}

fn other(side: Side) -> Side {
    1 - side
}

/// Both inputs of a join and their columns.
fn inputs<'a>(spec: &Spec<'a>) -> Result<([&'a PlanNode; 2], [SchemaRef; 2]), String> {
    let [left, right] = spec.inputs[..] else { return Err("a join has two inputs".to_string()) };
    Ok(([left, right], [left.schema.clone(), right.schema.clone()]))
}
