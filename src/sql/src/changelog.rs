//! Which rows of a plan may be taken back, and in which form that is told. Pure.

use arrow_schema::Schema;
use tidemill_plan::{Changelog, Clock, JoinKind, Keep, NodeKind, OverOrder, RankEmit, Table};

/// Whether an operator's output only grows, given whether all its inputs do.
pub(crate) fn only_grows(kind: &NodeKind, inputs: bool) -> bool {
    match kind {
        NodeKind::Source(source) => !reads_changes(&source.table),
        NodeKind::GroupAggregate(_) | NodeKind::Normalize(_) => false,
        NodeKind::WindowAggregate(aggregate) => aggregate.firing.is_none(),
        NodeKind::Sort(_) | NodeKind::MatchRecognize(_) => true,
        NodeKind::IntervalJoin(_) | NodeKind::TemporalJoin(_) => true,
        NodeKind::Over(over) => !matches!(over.order, OverOrder::Columns(_)),
        NodeKind::Join(join) => inputs && matches!(join.kind, JoinKind::Inner | JoinKind::Semi),
        NodeKind::Rank(rank) => matches!(rank.emit, RankEmit::AtWindowEnd { .. }),
        NodeKind::Deduplicate(deduplicate) => deduplicate.clock == Clock::Processing && deduplicate.keep == Keep::First,
        NodeKind::Calc(_)
        | NodeKind::Expand(_)
        | NodeKind::Unnest(_)
        | NodeKind::Correlate(_)
        | NodeKind::AssignWindows(_)
        | NodeKind::LookupJoin(_)
        | NodeKind::Limit(_)
        | NodeKind::Union
        | NodeKind::Sink(_) => inputs,
    }
}

/// What the reader of a changelog can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Every row that is replaced must be told.
    Retract,
    /// The replacing row is enough.
    Upsert,
}

/// What an operator that changes what it has put out puts out, if it can choose.
pub(crate) fn chosen(kind: &NodeKind, wanted: Wanted) -> Changelog {
    if wanted == Wanted::Retract {
        return Changelog::Retract;
    }
    let key = match kind {
        NodeKind::GroupAggregate(aggregate) => (0..aggregate.keys.len()).collect(),
        NodeKind::WindowAggregate(aggregate) if aggregate.firing.is_some() && !aggregate.output.is_empty() => {
            let window = aggregate.keys.len() + aggregate.aggregates.len();
            (0..aggregate.keys.len()).chain([window]).collect()
        }
        NodeKind::Deduplicate(deduplicate) => deduplicate.keys.clone(),
        NodeKind::Rank(rank) if rank.first == rank.last => rank.partition.clone(),
        _ => return Changelog::Retract,
    };
    Changelog::Upsert { key }
}

/// What an operator needs of its inputs, given what is wanted of itself.
pub(crate) fn needed(kind: &NodeKind, wanted: Wanted) -> Wanted {
    match kind {
        // Without a filter a calculation hands on what it gets; with one, a row that no longer passes has to be known.
        NodeKind::Calc(calc) if calc.filter.is_none() => wanted,
        _ => Wanted::Retract,
    }
}

/// How a sink takes changes; none if it takes only rows that stay.
pub(crate) fn taken_by(table: &Table) -> Option<Wanted> {
    match (table.connector.as_str(), format_of(table)) {
        ("blackhole" | UPSERT_KAFKA, _) => Some(Wanted::Upsert),
        ("print" | "log", _) => Some(Wanted::Retract),
        ("kafka", Some(DEBEZIUM)) => Some(Wanted::Retract),
        _ => None,
    }
}

/// The connector whose tables are changes by key.
pub(crate) const UPSERT_KAFKA: &str = "upsert-kafka";
/// The connector whose tables are files.
pub(crate) const FILESYSTEM: &str = "filesystem";
/// The format whose records are changes.
const DEBEZIUM: &str = "debezium-json";

/// Whether rows of a table can be looked up by key, as far as the connector is known here.
pub(crate) fn can_be_looked_up(table: &Table) -> bool {
    const CANNOT: [&str; 9] =
        ["blackhole", "datagen", "generator", "kafka", "log", "nexmark", "print", UPSERT_KAFKA, "kinesis"];
    !CANNOT.contains(&table.connector.as_str())
}

/// The name of the format of a table's records.
pub(crate) fn format_of(table: &Table) -> Option<&str> {
    table.options.get("value.format").or(table.options.get("format")).map(String::as_str)
}

/// Whether the rows that are read from a table come and go.
pub(crate) fn reads_changes(table: &Table) -> bool {
    table.connector == UPSERT_KAFKA || format_of(table) == Some(DEBEZIUM)
}

/// What the rows say that are read from a table as these columns.
pub(crate) fn read_as(table: &Table, columns: &Schema) -> Changelog {
    if !reads_changes(table) {
        return Changelog::Append;
    }
    match table.connector.as_str() {
        UPSERT_KAFKA => {
            Changelog::Upsert { key: table.primary_key.iter().filter_map(|name| columns.index_of(name).ok()).collect() }
        }
        _ => Changelog::Retract,
    }
}

/// Whether a table's columns are found by their places in a record, so that all have to be read.
pub(crate) fn reads_by_place(table: &Table) -> bool {
    matches!(format_of(table), Some("avro" | "csv" | "raw"))
}
