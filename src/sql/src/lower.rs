//! Lays relations out as a streaming plan: nodes, their columns and their uids.
//!
//! A uid is made of what the node does and the table it does it for: `source-<table>`, `sink-<table>`,
//! `window-<sink's table>-<n>` counted from the sources. So a change to one INSERT moves no other's state. A table is
//! read by one source, whoever reads it; a second INSERT into a table counts on: `sink-<table>-2`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use tidemill_plan::{
    Calc, Changelog, Deduplicate, Expression, GroupAggregate, NamedExpression, NodeKind, Normalize, Over, PlanNode,
    Rank, RankEmit, Sink, Source, StreamPlan, Watermark,
};

use crate::changelog::{Wanted, chosen, needed, only_grows, read_as, taken_by};
use crate::error::{Result, SqlError};
use crate::expressions::{handed_on, substitute};
use crate::optimise::{ScanColumns, narrow, needed_of_tables, prune, simplify};
use crate::relation::{Field, Node, Relation};
use crate::session::{Inserted, Script};
use crate::settings::Settings;
use crate::table::Table;
use crate::zone::localised;

pub(crate) fn lower(script: &Script) -> Result<StreamPlan> {
    let mut layout =
        Layout { nodes: Vec::new(), uids: BTreeSet::new(), sources: BTreeMap::new(), settings: &script.settings };
    for (relation, inserted) in optimised(script) {
        layout.sink(relation, inserted)?;
    }
    let mut plan = StreamPlan { nodes: layout.nodes };
    narrow(&mut plan);
    match &script.settings.zone {
        None => Ok(plan),
        Some(zone) => localised(plan, zone).map_err(|problem| {
            let at = script.inserts[0].span;
            SqlError::new(at, problem, "make both of the same type, with CAST in a view or computed column")
        }),
    }
}

/// The rows that are inserted, with as little work as can be, and without columns that nobody reads.
pub(crate) fn optimised(script: &Script) -> Vec<(Relation, &Inserted)> {
    let simplified: Vec<(Relation, &Inserted)> =
        script.inserts.iter().map(|inserted| (simplify(inserted.relation.clone()), inserted)).collect();
    let mut tables = ScanColumns::new();
    for (relation, _) in &simplified {
        needed_of_tables(relation, &all_columns(relation), &mut tables);
    }
    for columns in tables.values_mut().filter(|columns| columns.is_empty()) {
        // Rows without any column could not be counted.
        columns.insert(0);
    }
    let pruned = simplified.into_iter().map(|(relation, inserted)| {
        let needed = all_columns(&relation);
        (prune(relation, &needed, &tables).0, inserted)
    });
    pruned.collect()
}

fn all_columns(relation: &Relation) -> BTreeSet<usize> {
    (0..relation.fields.len()).collect()
}

struct Layout<'a> {
    nodes: Vec<PlanNode>,
    uids: BTreeSet<String>,
    /// The node that reads a table.
    sources: BTreeMap<String, usize>,
    settings: &'a Settings,
}

/// What a relation is laid out for.
#[derive(Clone, Copy)]
struct Purpose<'a> {
    /// The name of the sink's table.
    sink: &'a str,
    names: Names,
    wanted: Wanted,
}

impl Layout<'_> {
    fn sink(&mut self, relation: Relation, inserted: &Inserted) -> Result<()> {
        let table = &inserted.table;
        let name = &table.table.name;
        let taken = taken_by(&table.table);
        if taken.is_none() && !relation.only_grows() {
            let message = format!("the query changes rows that it has put out, and `{name}` takes only rows that stay");
            let remedy = "write to a table that takes changes, or aggregate in windows";
            return Err(SqlError::new(inserted.span, message, remedy));
        }
        let wanted = taken.unwrap_or(Wanted::Retract);
        let (relation, wanted) = match wanted {
            // A row that is deleted need not have more than its key, so more cannot be asked of it.
            Wanted::Upsert if asks_beyond_key(table) => (keyed(relation, table), Wanted::Retract),
            Wanted::Upsert => (keyed(relation, table), Wanted::Upsert),
            Wanted::Retract => (relation, Wanted::Retract),
        };
        let input = self.place(relation, Purpose { sink: name, names: Names::AreRead, wanted })?;
        let uid = self.unique(&format!("sink-{}", word(name)), Numbering::FromTwo);
        let changelog = self.nodes[input].changelog.clone();
        let kind = NodeKind::Sink(Sink { table: table.table.clone() });
        self.push(PlanNode {
            uid,
            inputs: vec![input],
            kind,
            schema: schema_of(&inserted.relation.fields),
            changelog,
            local_time: None,
        });
        Ok(())
    }

    fn place(&mut self, relation: Relation, purpose: Purpose<'_>) -> Result<usize> {
        let schema = schema_of(&relation.fields);
        match relation.node {
            Node::Scan { table, columns } => Ok(self.source(&table, &columns, schema)),
            Node::Calc { input, filter, projection } => {
                let named = schema.fields().iter().zip(&projection);
                let named = named.map(|(field, expression)| NamedExpression {
                    name: field.name().clone(),
                    expression: expression.clone(),
                });
                let kind = NodeKind::Calc(Calc { filter: filter.clone(), projection: named.collect() });
                let wanted = match keeps_keys(&input, &projection) {
                    true => needed(&kind, purpose.wanted),
                    false => Wanted::Retract,
                };
                let input = self.place(*input, Purpose { names: Names::AreNot, wanted, ..purpose })?;
                if filter.is_none() && changes_nothing(&projection, &schema, &self.nodes[input].schema, purpose.names) {
                    return Ok(input);
                }
                let changelog = moved(&self.nodes[input].changelog, &projection);
                let uid = self.unique(&format!("calc-{}", word(purpose.sink)), Numbering::FromOne);
                Ok(self.push(PlanNode { uid, inputs: vec![input], kind, schema, changelog, local_time: None }))
            }
            Node::Operator { kind, inputs } => self.operator(*kind, inputs, schema, purpose),
            Node::Joined { .. } | Node::Pending { .. } => unreachable!("all is settled before they are laid out"),
        }
    }

    fn operator(
        &mut self,
        mut kind: NodeKind,
        inputs: Vec<Relation>,
        schema: SchemaRef,
        purpose: Purpose<'_>,
    ) -> Result<usize> {
        set_ttl(&mut kind, self.settings.state_ttl_ms);
        let below = Purpose { names: Names::AreNot, wanted: needed(&kind, purpose.wanted), ..purpose };
        let mut places = Vec::with_capacity(inputs.len());
        for input in inputs {
            places.push(self.place(input, below)?);
        }
        let grows = places.iter().all(|place| self.nodes[*place].changelog.is_append());
        let changelog = match only_grows(&kind, grows) {
            true => Changelog::Append,
            false => chosen(&kind, purpose.wanted),
        };
        if matches!(kind, NodeKind::Union) && !changelog.is_append() {
            places = places.into_iter().map(|place| self.with_changes(place, purpose.sink)).collect();
        }
        let stem = format!("{}-{}", stem(&kind), word(purpose.sink));
        let uid = self.unique(&stem, Numbering::FromOne);
        Ok(self.push(PlanNode { uid, inputs: places, kind, schema, changelog, local_time: None }))
    }

    /// The same rows, each told to be inserted, for a union with rows that change.
    fn with_changes(&mut self, place: usize, sink: &str) -> usize {
        if !self.nodes[place].changelog.is_append() {
            return place;
        }
        let schema = self.nodes[place].schema.clone();
        let named = schema.fields().iter().enumerate();
        let named = named.map(|(place, field)| NamedExpression {
            name: field.name().clone(),
            expression: Expression::Column(place),
        });
        let kind = NodeKind::Calc(Calc { filter: None, projection: named.collect() });
        let uid = self.unique(&format!("calc-{}", word(sink)), Numbering::FromOne);
        self.push(PlanNode { uid, inputs: vec![place], kind, schema, changelog: Changelog::Retract, local_time: None })
    }

    fn source(&mut self, table: &Table, columns: &[usize], schema: SchemaRef) -> usize {
        let name = &table.table.name;
        if let Some(place) = self.sources.get(name) {
            return *place;
        }
        let moved =
            |place: usize| Expression::Column(columns.iter().position(|column| *column == place).unwrap_or_default());
        let watermark = table.watermark.as_ref().map(|watermark| Watermark {
            expression: substitute(&watermark.expression, &moved),
            idle_timeout_ms: watermark.idle_timeout_ms.or(self.settings.idle_timeout_ms),
            ..watermark.clone()
        });
        let uid = self.unique(&format!("source-{}", word(name)), Numbering::FromTwo);
        let kind = NodeKind::Source(Source { table: table.table.clone(), watermark });
        let changelog = read_as(&table.table, &schema);
        let mut place = self.push(PlanNode { uid, inputs: Vec::new(), kind, schema, changelog, local_time: None });
        if let Changelog::Upsert { key } = &self.nodes[place].changelog {
            place = self.normalize(place, key.clone(), name);
        }
        self.sources.insert(name.clone(), place);
        place
    }

    /// The rows of a source of upserts, with what they replace.
    fn normalize(&mut self, place: usize, keys: Vec<usize>, name: &str) -> usize {
        let schema = self.nodes[place].schema.clone();
        let kind = NodeKind::Normalize(Normalize { keys, state_ttl_ms: self.settings.state_ttl_ms });
        let uid = self.unique(&format!("normalize-{}", word(name)), Numbering::FromTwo);
        self.push(PlanNode { uid, inputs: vec![place], kind, schema, changelog: Changelog::Retract, local_time: None })
    }

    fn push(&mut self, node: PlanNode) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn unique(&mut self, stem: &str, numbering: Numbering) -> String {
        let plain = (numbering == Numbering::FromTwo).then(|| stem.to_string());
        let first = if numbering == Numbering::FromTwo { 2 } else { 1 };
        let mut candidates = plain.into_iter().chain((first..).map(|number| format!("{stem}-{number}")));
        let uid = candidates.find(|uid| !self.uids.contains(uid)).unwrap_or_default();
        self.uids.insert(uid.clone());
        uid
    }
}

/// The relation as a table with a primary key can take its changes: by that key. If they do not come by it, the rows of
/// each key are held together first, and the last that has come stands for it, as in Flink (there is one, unless the key
/// is no key).
fn keyed(relation: Relation, table: &Table) -> Relation {
    let place = |name: &String| relation.fields.iter().position(|field| field.name == *name);
    let partition: Vec<usize> = table.table.primary_key.iter().filter_map(place).collect();
    let by_key = key_of(&relation).is_some_and(|key| BTreeSet::from_iter(key) == partition.iter().copied().collect());
    if partition.is_empty() || relation.only_grows() || by_key {
        return relation;
    }
    let rank = Rank {
        partition,
        order: Vec::new(),
        first: 1,
        last: 1,
        with_number: false,
        emit: RankEmit::Changes,
        newest_first: true,
        state_ttl_ms: None,
    };
    let fields = relation.fields.clone();
    Relation::operator(NodeKind::Rank(rank), vec![relation], fields)
}

/// Whether columns besides the key must not be NULL.
fn asks_beyond_key(table: &Table) -> bool {
    table.written().iter().any(|field| !field.nullable && !table.table.primary_key.contains(&field.name))
}

/// How long an operator keeps what nothing comes for, where it would keep it for ever.
fn set_ttl(kind: &mut NodeKind, ttl_ms: Option<u64>) {
    // A hint goes before the setting; a time of zero is for ever.
    let set = |own: &mut Option<u64>| *own = own.or(ttl_ms).filter(|ttl| *ttl > 0);
    match kind {
        NodeKind::GroupAggregate(GroupAggregate { state_ttl_ms, .. })
        | NodeKind::Rank(Rank { state_ttl_ms, emit: RankEmit::Changes, .. })
        | NodeKind::Deduplicate(Deduplicate { state_ttl_ms, .. })
        | NodeKind::Normalize(Normalize { state_ttl_ms, .. })
        | NodeKind::Over(Over { state_ttl_ms, .. }) => set(state_ttl_ms),
        NodeKind::Join(join) => join.state_ttl_ms.iter_mut().for_each(set),
        _ => {}
    }
}

/// Whether the first of a kind has a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    FromOne,
    FromTwo,
}

/// A table's name in letters that a uid may have. Names that needed changing get a hash, so that they stay apart.
fn word(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain == name { plain } else { format!("{plain}_{:08x}", fnv(name.as_bytes())) }
}

/// FNV-1a. State is found by names made of it, so it must never change.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What an operator's uids begin with.
fn stem(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Source(_) => "source",
        NodeKind::Calc(_) => "calc",
        NodeKind::Expand(_) => "expand",
        NodeKind::Unnest(_) => "unnest",
        NodeKind::Correlate(_) => "correlate",
        NodeKind::AssignWindows(_) => "windows",
        NodeKind::WindowAggregate(_) => "window",
        NodeKind::GroupAggregate(_) => "group",
        NodeKind::Over(_) => "over",
        NodeKind::Join(_) => "join",
        NodeKind::IntervalJoin(_) => "interval",
        NodeKind::TemporalJoin(_) => "temporal",
        NodeKind::LookupJoin(_) => "lookup",
        NodeKind::Rank(_) => "rank",
        NodeKind::Deduplicate(_) => "deduplicate",
        NodeKind::Normalize(_) => "normalize",
        NodeKind::Sort(_) => "sort",
        NodeKind::Limit(_) => "limit",
        NodeKind::MatchRecognize(_) => "match",
        NodeKind::Union => "union",
        NodeKind::Sink(_) => "sink",
    }
}

/// Whether a calculation hands on, as they are, the columns that tell the rows of its input apart, if there are such.
fn keeps_keys(input: &Relation, projection: &[Expression]) -> bool {
    let is_kept = |place: &usize| projection.iter().any(|expression| handed_on(expression) == Some(*place));
    key_of(input).is_none_or(|key| key.iter().all(is_kept))
}

/// The columns that tell the rows of an upsert stream apart, if a relation can be one.
fn key_of(relation: &Relation) -> Option<Vec<usize>> {
    match &relation.node {
        Node::Operator { kind, .. } => match chosen(kind, Wanted::Upsert) {
            Changelog::Upsert { key } => Some(key),
            Changelog::Append | Changelog::Retract => None,
        },
        Node::Calc { input, filter: None, projection } => {
            let place = |key: usize| projection.iter().position(|column| handed_on(column) == Some(key));
            key_of(input)?.into_iter().map(place).collect()
        }
        Node::Calc { .. } | Node::Scan { .. } | Node::Joined { .. } | Node::Pending { .. } => None,
    }
}

/// The changelog behind a projection.
fn moved(changelog: &Changelog, projection: &[Expression]) -> Changelog {
    match changelog {
        Changelog::Append => Changelog::Append,
        Changelog::Retract => Changelog::Retract,
        Changelog::Upsert { key } => {
            let place = |key: &usize| projection.iter().position(|column| handed_on(column) == Some(*key));
            Changelog::Upsert { key: key.iter().filter_map(place).collect() }
        }
    }
}

/// Whether what comes after goes by the names of columns, as sinks do, or by their places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    AreRead,
    AreNot,
}

fn changes_nothing(projection: &[Expression], schema: &SchemaRef, input: &SchemaRef, names: Names) -> bool {
    let in_place = |(place, expression): (usize, &Expression)| *expression == Expression::Column(place);
    let fits = input.fields().len() == projection.len() && (names == Names::AreNot || schema == input);
    fits && projection.iter().enumerate().all(in_place)
}

/// Columns are all nullable: NOT NULL is a promise of the outside that the engine does not rest on.
fn schema_of(fields: &[Field]) -> SchemaRef {
    let mut names = BTreeSet::new();
    let unique = |field: &Field| {
        let candidates =
            std::iter::once(field.name.clone()).chain((0..).map(|number| format!("{}{number}", field.name)));
        let name = candidates.into_iter().find(|name| names.insert(name.clone())).unwrap_or_default();
        arrow_schema::Field::new(name, field.data_type.clone(), true)
    };
    Arc::new(Schema::new(fields.iter().map(unique).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_letters_digits_and_underscores_and_stay_apart() {
        assert_eq!(word("page_views"), "page_views");
        assert_ne!(word("page.views"), word("page views"));
        assert!(word("größe").chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }
}
