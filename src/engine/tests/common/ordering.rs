//! Plans of one operator over rows with a key, a value, a time and a text; random input for them.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rand::Rng;
use rand::rngs::SmallRng;
use tidemill_engine::driver::Driver;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{CHANGE, Change, Changelog, NodeKind, PlanNode, Sink, Source, StreamPlan, Table};

pub const KEY: usize = 0;
pub const VALUE: usize = 1;
pub const TIME: usize = 2;
pub const TEXT: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub key: Option<i64>,
    pub value: Option<i64>,
    pub time: i64,
    pub text: String,
}

pub fn row(key: i64, value: i64, time: i64, text: &str) -> Row {
    Row { key: Some(key), value: Some(value), time, text: text.to_string() }
}

impl Row {
    /// As the tables of the tests show it.
    pub fn texts(&self) -> Vec<String> {
        let number = |value: Option<i64>| value.map_or("NULL".to_string(), |value| value.to_string());
        let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![self.time]));
        let time = arrow::util::display::array_value_to_string(&time, 0).unwrap();
        vec![number(self.key), number(self.value), time, self.text.clone()]
    }
}

pub fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, true),
        Field::new("value", DataType::Int64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// The input's columns and further ones of these types.
pub fn schema_with(further: &[DataType]) -> SchemaRef {
    let mut fields: Vec<Field> = input_schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.extend(
        further
            .iter()
            .enumerate()
            .map(|(place, data_type)| Field::new(format!("result_{place}"), data_type.clone(), true)),
    );
    Arc::new(Schema::new(fields))
}

pub fn plan(kind: NodeKind, input: Changelog, schema: SchemaRef, changelog: Changelog) -> StreamPlan {
    let table = |name: &str| Table {
        name: name.into(),
        connector: "test".into(),
        options: BTreeMap::new(),
        ..Default::default()
    };
    let source = NodeKind::Source(Source { table: table("in"), watermark: None });
    let node = |uid: &str, inputs, kind, schema: &SchemaRef, changelog: &Changelog| PlanNode {
        uid: uid.into(),
        inputs,
        kind,
        schema: schema.clone(),
        changelog: changelog.clone(),
        local_time: None,
    };
    StreamPlan {
        nodes: vec![
            node("source", vec![], source, &input_schema(), &input),
            node("operator", vec![0], kind, &schema, &changelog),
            node("sink", vec![1], NodeKind::Sink(Sink { table: table("out") }), &schema, &changelog),
        ],
    }
}

/// Rows that only come.
pub fn batch(rows: &[Row]) -> RecordBatch {
    RecordBatch::try_new(input_schema(), columns(rows)).unwrap()
}

/// Rows that come and go.
pub fn changes(changes: &[(Change, Row)]) -> RecordBatch {
    let rows: Vec<Row> = changes.iter().map(|(_, row)| row.clone()).collect();
    let mut fields: Vec<Field> = input_schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new(CHANGE, DataType::Int8, false));
    let mut columns = columns(&rows);
    columns.push(Arc::new(changes.iter().map(|(change, _)| Some(*change as i8)).collect::<Int8Array>()));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    vec![
        Arc::new(rows.iter().map(|row| row.key).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.value).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.time)).collect::<TimestampMillisecondArray>()),
        Arc::new(rows.iter().map(|row| Some(row.text.as_str())).collect::<StringArray>()),
    ]
}

/// Rows of a few keys, values and times, so that many are equal in some of them.
pub fn random_rows(random: &mut SmallRng, count: usize) -> Vec<Row> {
    let keys = random.random_range(1..12);
    (0..count)
        .map(|number| Row {
            key: random.random_bool(0.95).then(|| random.random_range(0..keys)),
            value: random.random_bool(0.95).then(|| random.random_range(-20..20)),
            time: number as i64 * 2 + random.random_range(-20..20),
            text: format!("row {}", random.random_range(0..count.max(1))),
        })
        .collect()
}

/// The rows come and some of them go again or are replaced. Returns what is there in the end, in the order in which it
/// came, too.
pub fn random_changes(random: &mut SmallRng, rows: Vec<Row>) -> (Vec<(Change, Row)>, Vec<Row>) {
    let (mut changes, mut there) = (Vec::new(), Vec::<Row>::new());
    for row in rows {
        match random.random_range(0..10) {
            0..=2 if !there.is_empty() => {
                changes.push((Change::Delete, take_one(random, &mut there)));
            }
            3..=4 if !there.is_empty() => {
                let old = take_one(random, &mut there);
                let new = Row { value: row.value, ..old.clone() };
                changes.extend([(Change::UpdateBefore, old), (Change::UpdateAfter, new.clone())]);
                there.push(new);
            }
            _ => {
                changes.push((Change::Insert, row.clone()));
                there.push(row);
            }
        }
    }
    (changes, there)
}

/// Of equal rows the first is the one that goes.
fn take_one(random: &mut SmallRng, there: &mut Vec<Row>) -> Row {
    let chosen = there[random.random_range(0..there.len())].clone();
    let first = there.iter().position(|row| *row == chosen).unwrap();
    there.remove(first)
}

/// The items in batches of random sizes.
pub fn cut<T: Clone>(random: &mut SmallRng, items: &[T], batch: impl Fn(&[T]) -> RecordBatch) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut rest = items;
    while !rest.is_empty() {
        let (these, others) = rest.split_at(random.random_range(1..=40.min(rest.len())));
        elements.push(Element::Batch(batch(these)));
        rest = others;
    }
    elements
}

/// Puts watermarks between batches of [`batch`]es: as high as the rows still to come allow.
pub fn with_watermarks(random: &mut SmallRng, rows: &[Row], batches: Vec<Element>) -> Vec<Element> {
    let (mut elements, mut fed) = (Vec::new(), 0);
    for element in batches {
        let Element::Batch(batch) = &element else { unreachable!("there are only batches yet") };
        fed += batch.num_rows();
        elements.push(element);
        let least = rows[fed..].iter().map(|row| row.time).min();
        if let Some(least) = least.filter(|_| random.random_bool(0.5)) {
            elements.push(Element::Watermark(Watermark::At(least - 1)));
        }
    }
    elements
}

/// What comes out epoch by epoch, on one thread: each epoch is a batch, and there are 100 ms between them.
pub fn epochs(plan: &StreamPlan, batches: impl IntoIterator<Item = RecordBatch>) -> Vec<Vec<String>> {
    let mut driver = Driver::new(plan, 1, 1).unwrap();
    let mut epochs = Vec::new();
    for batch in batches {
        driver.feed(0, 0, Element::Batch(batch)).unwrap();
        driver.now_ms += 100;
        driver.end_epoch().unwrap();
        epochs.push(driver.received.drain(..).flat_map(|(_, rows)| shown(&rows)).collect());
    }
    epochs
}

/// The rows as Flink prints them, times as milliseconds.
pub fn shown(rows: &RecordBatch) -> Vec<String> {
    let (columns, kinds) = tidemill_engine::change::split(rows);
    let columns: Vec<ArrayRef> = columns
        .iter()
        .map(|column| match column.data_type() {
            DataType::Timestamp(..) => arrow::compute::cast(column, &DataType::Int64).unwrap(),
            _ => column.clone(),
        })
        .collect();
    let text = |column: &ArrayRef, row| arrow::util::display::array_value_to_string(column, row).unwrap();
    let kind = |row| kinds.map_or("+I", |kinds| Change::of(kinds.value(row)).unwrap().symbol());
    let line = |row| {
        let texts: Vec<String> = columns.iter().map(|column| text(column, row)).collect();
        format!("{} {}", kind(row), texts.join(" "))
    };
    (0..rows.num_rows()).map(line).collect()
}
