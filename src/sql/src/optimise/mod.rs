//! Makes relations cheaper without changing their rows: neighbouring calculations become one, conditions go below
//! operators, windows are assigned where rows are aggregated, columns that nobody reads go.

mod columns;
mod merge;
mod prune;
mod push;
mod windows;

pub(crate) use columns::is_left_only;
pub(crate) use prune::{ScanColumns, needed_of_tables, prune};

use crate::relation::Relation;

/// All that can be done without knowing the other relations of the application.
pub(crate) fn simplify(relation: Relation) -> Relation {
    let relation = windows::assign_late(merge::merge(relation));
    merge::merge(push::push_filters(merge::merge(relation)))
}
