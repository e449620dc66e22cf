//! Makes relations cheaper without changing their rows: neighbouring calculations become one, what a condition tells of a
//! row is not computed again, conditions go below
//! operators, windows are assigned where rows are aggregated, columns and fields that nobody reads go.

mod columns;
mod fields;
mod known;
mod merge;
mod prune;
mod push;
mod windows;

pub(crate) use columns::is_left_only;
pub(crate) use fields::narrow;
pub(crate) use prune::{ScanColumns, needed_of_tables, prune};

use crate::relation::Relation;

/// All that can be done without knowing the other relations of the application.
pub(crate) fn simplify(relation: Relation) -> Relation {
    let relation = windows::assign_late(merge::merge(relation));
    known::simplified(merge::merge(push::push_filters(merge::merge(relation))))
}
