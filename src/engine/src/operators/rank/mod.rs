//! Order within partitions: the first rows of each, one row for each key, a number of rows.
//!
//! Rows are kept in a [`crate::rows::RowStore`] and named by their numbers. What a batch changes is decided by keys and
//! times alone; only rows that are still wanted at its end are copied. All changes are told at the end of the epoch.

pub(super) mod changes;
mod deduplicate;
mod difference;
mod first_seen;
pub(super) mod identity;
mod last_rows;
mod limit;
pub(super) mod normalize;
mod operator;
pub(super) mod order;
pub(super) mod partitions;
mod sorted_partitions;
pub(super) mod sorted_rows;
pub(super) mod time;
pub(super) mod waiting;
mod window_rank;

use tidemill_plan::{Changelog, Rank, RankEmit};

pub use deduplicate::build as build_deduplicate;
pub use limit::build as build_limit;
pub use normalize::build as build_normalize;

use super::{Built, Spec};
use operator::RankOperator;
use order::{Number, Order, OrderKey};
use window_rank::WindowRankOperator;

/// The operator of a rank.
pub fn build_rank(rank: &Rank, spec: &Spec<'_>) -> Built {
    let [input] = spec.inputs else { return Err("it has to have one input".to_string()) };
    if rank.first < 1 || rank.last < rank.first {
        return Err(format!("its places, {} to {}, are none", rank.first, rank.last));
    }
    let order = Order::new(&rank.order, &input.schema)?;
    match order.is_number() {
        true => build_with::<Number>(rank, order, spec),
        false => build_with::<Box<[u8]>>(rank, order, spec),
    }
}

fn build_with<K: OrderKey>(rank: &Rank, order: Order, spec: &Spec<'_>) -> Built {
    if let RankEmit::AtWindowEnd { window_end } = rank.emit {
        return Ok(Box::new(WindowRankOperator::<K>::new(rank, window_end, order, spec)?));
    }
    if spec.node.changelog.is_append() {
        return Err("rows may leave their places, so that its output has changes".to_string());
    }
    if let Changelog::Upsert { key } = &spec.inputs[0].changelog
        && let Some(column) = rank.partition.iter().find(|column| !key.contains(column))
    {
        return Err(format!("a row of its input may move between partitions, for column {column} is not in its key"));
    }
    Ok(Box::new(RankOperator::<K>::new(rank, order, spec)?))
}
