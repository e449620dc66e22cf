//! Plans of one join of two inputs, random input for them, and what a nested loop makes of it.
//!
//! Both inputs have the columns `key` (BIGINT), `value` (BIGINT) and `text`, which follows from the value.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use tidemill_engine::change;
use tidemill_engine::element::Element;
use tidemill_plan::{
    BinaryOperator, Change, Changelog, Expression, Join, JoinKind, Literal, NodeKind, PlanNode, Sink, Source,
    StreamPlan,
};

use super::table::{Feed, Table, texts};

/// A row: key, value; and what becomes of it.
pub type Changed = (Option<i64>, i64, Change);

/// What each input says, in order.
pub type Inputs = [Vec<Changed>; 2];

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("value", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// Twice a schema's columns, or once for joins that only put left rows out.
pub fn joined(schema: &SchemaRef, kind: JoinKind) -> SchemaRef {
    let has_right = !matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let fields = schema.fields().iter().chain(schema.fields().iter().filter(|_| has_right)).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub fn node(uid: &str, inputs: Vec<usize>, kind: NodeKind, schema: SchemaRef, changelog: Changelog) -> PlanNode {
    PlanNode { uid: uid.into(), inputs, kind, schema, changelog, local_time: None }
}

pub fn plan(join: NodeKind, kind: JoinKind, inputs: [Changelog; 2], changelog: Changelog) -> StreamPlan {
    plan_over(&schema(), join, kind, inputs, changelog)
}

/// Sources at 0 and 1, both with this schema, the join and a sink.
pub fn plan_over(
    schema: &SchemaRef,
    join: NodeKind,
    kind: JoinKind,
    [left, right]: [Changelog; 2],
    changelog: Changelog,
) -> StreamPlan {
    let table = |name: &str| tidemill_plan::Table {
        name: name.into(),
        connector: "test".into(),
        options: BTreeMap::new(),
        ..Default::default()
    };
    let source = |name| NodeKind::Source(Source { table: table(name), watermark: None });
    let output = joined(schema, kind);
    StreamPlan {
        nodes: vec![
            node("left", vec![], source("l"), schema.clone(), left),
            node("right", vec![], source("r"), schema.clone(), right),
            node("join", vec![0, 1], join, output.clone(), changelog.clone()),
            node("sink", vec![2], NodeKind::Sink(Sink { table: table("out") }), output, changelog),
        ],
    }
}

/// `left.value < right.value + 3`
pub fn condition() -> Expression {
    let binary = |left, operator, right| Expression::Binary { left: Box::new(left), operator, right: Box::new(right) };
    let sum = binary(Expression::Column(4), BinaryOperator::Plus, Expression::Literal(Literal::Int64(3)));
    binary(Expression::Column(1), BinaryOperator::Less, sum)
}

/// Random rows, some equal; with `takes_back`, some that are there are taken back, after which they may come again.
pub fn random_changes(random: &mut SmallRng, takes_back: bool) -> Vec<Changed> {
    let mut changes = Vec::new();
    let mut there: Vec<(Option<i64>, i64)> = Vec::new();
    let keys = random.random_range(1..12);
    for _ in 0..random.random_range(0..300) {
        if takes_back && !there.is_empty() && random.random_bool(0.45) {
            let (key, value) = there.swap_remove(random.random_range(0..there.len()));
            changes.push((key, value, *[Change::UpdateBefore, Change::Delete].choose(random).unwrap()));
        } else {
            let key = random.random_bool(0.9).then(|| random.random_range(0..keys));
            let row = (key, random.random_range(0..8));
            there.push(row);
            changes.push((row.0, row.1, *[Change::Insert, Change::UpdateAfter].choose(random).unwrap()));
        }
    }
    changes
}

pub fn batch(rows: &[Changed], changelog: &Changelog) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(format!("text {}", row.1))).collect::<StringArray>()),
    ];
    let node = node("", vec![], NodeKind::Union, schema(), changelog.clone());
    let changes = (!changelog.is_append()).then(|| rows.iter().map(|row| row.2 as i8).collect());
    change::batch(&node.batch_schema(), columns, changes).unwrap()
}

/// The inputs in batches of random sizes.
pub fn feeds(random: &mut SmallRng, plan: &StreamPlan, inputs: &Inputs) -> Vec<Feed> {
    let mut feeds = Vec::new();
    for (source, rows) in inputs.iter().enumerate() {
        let mut elements = Vec::new();
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (first, others) = rest.split_at(random.random_range(1..=rest.len().min(40)));
            elements.push(Element::Batch(batch(first, &plan.nodes[source].changelog)));
            rest = others;
        }
        feeds.push(Feed { source, elements });
    }
    feeds
}

/// The join of the rows that are there at the end, by a nested loop.
pub fn expected(join: &Join, inputs: &Inputs) -> Table {
    let [left, right] = inputs.each_ref().map(|changes| there(changes));
    let nulls_equal = join.on.keys[0].nulls_equal;
    let is_match = |left: &(Option<i64>, i64), right: &(Option<i64>, i64)| {
        left.0 == right.0 && (left.0.is_some() || nulls_equal) && (join.on.condition.is_none() || left.1 < right.1 + 3)
    };
    nested_loop(join.kind, &left, &right, is_match, |(key, value)| {
        let key = key.map_or("NULL".to_string(), |key| key.to_string());
        vec![key, value.to_string(), format!("text {value}")]
    })
}

/// What a join of two tables is, by definition.
pub fn nested_loop<R>(
    kind: JoinKind,
    left: &[R],
    right: &[R],
    is_match: impl Fn(&R, &R) -> bool,
    texts: impl Fn(&R) -> Vec<String>,
) -> Table {
    let nulls = |row: &R| vec!["NULL".to_string(); texts(row).len()];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in left {
        let matches: Vec<&R> = right.iter().filter(|other| is_match(row, other)).collect();
        match kind {
            JoinKind::Semi if !matches.is_empty() => rows.push(texts(row)),
            JoinKind::Anti if matches.is_empty() => rows.push(texts(row)),
            JoinKind::Semi | JoinKind::Anti => {}
            JoinKind::Left | JoinKind::Full if matches.is_empty() => rows.push([texts(row), nulls(row)].concat()),
            _ => rows.extend(matches.into_iter().map(|other| [texts(row), texts(other)].concat())),
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        let unmatched = right.iter().filter(|row| !left.iter().any(|other| is_match(other, row)));
        rows.extend(unmatched.map(|row| [nulls(row), texts(row)].concat()));
    }
    let mut table = Table::new();
    rows.into_iter().for_each(|row| *table.entry(row).or_default() += 1);
    table
}

/// The rows with their changes, as Flink prints them.
pub fn changes(rows: &RecordBatch) -> Vec<String> {
    let changes = rows.column(rows.num_columns() - 1).as_primitive::<Int8Type>();
    let symbol = |change| Change::of(change).unwrap().symbol();
    let shown = |(texts, change): (Vec<String>, &i8)| {
        let shown: Vec<String> = texts.into_iter().filter(|text| !text.starts_with("text")).collect();
        format!("{} {}", symbol(*change), shown.join(" "))
    };
    let without_texts = rows
        .project(
            &(0..rows.num_columns())
                .filter(|place| place % 3 != 2 || *place + 1 == rows.num_columns())
                .collect::<Vec<_>>(),
        )
        .unwrap();
    texts(&without_texts).into_iter().zip(changes.values()).map(shown).collect()
}

fn there(changes: &[Changed]) -> Vec<(Option<i64>, i64)> {
    let mut rows = Vec::new();
    for (key, value, change) in changes {
        match change.is_addition() {
            true => rows.push((*key, *value)),
            false => {
                let place = rows.iter().position(|row| *row == (*key, *value)).unwrap();
                rows.swap_remove(place);
            }
        }
    }
    rows
}
