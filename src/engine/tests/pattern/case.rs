//! A plan that looks for a pattern, and its input.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tidemill_engine::element::{Element, Watermark};
use tidemill_plan::{
    AggregateFunction, BinaryOperator, Changelog, Clock, Expression, Literal, MatchRecognize, Measure, NodeKind,
    Pattern, PatternExpression, PlanNode, Position, Reference, Sink, SortKey, Source, StreamPlan, Table, Variable,
};

/// Variables A, B, C, … of which each takes rows whose letters have its own.
#[derive(Clone, Debug)]
pub struct Case {
    pub terms: Vec<Term>,
    pub after: After,
    pub within_ms: Option<i64>,
    pub clock: Clock,
}

#[derive(Clone, Copy, Debug)]
pub struct Term {
    pub least: u32,
    pub most: Option<u32>,
    pub greedy: bool,
    pub extra: Extra,
}

/// What the variable's condition asks for besides the letter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extra {
    None,
    /// `LAST(X.value, 1) IS NULL OR X.value > LAST(X.value, 1)`
    Rising,
    /// `SUM(value) < n`
    SumBelow(i64),
    /// `X.value >= FIRST(value)`
    AboveFirst,
    /// `X.value > PREV(X.value, 1)`
    AbovePrevious,
    /// `COUNT(DISTINCT X.value) <= n`
    FewDistinct(i64),
}

pub use tidemill_plan::AfterMatch as After;

#[derive(Clone, Debug)]
pub struct Row {
    pub key: Option<String>,
    pub letters: String,
    pub value: i64,
    pub time: i64,
    /// Rows of the same time are taken in the order of this.
    pub number: i64,
}

const VALUE: usize = 2;
const TIME: usize = 3;
const NUMBER: usize = 4;

fn input_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("letters", DataType::Utf8, true),
        Field::new("value", DataType::Int64, true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("number", DataType::Int64, true),
    ]))
}

pub fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.key.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.letters.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.value)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.time)).collect::<TimestampMillisecondArray>()),
        Arc::new(rows.iter().map(|row| Some(row.number)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(input_schema(), columns).unwrap()
}

/// The rows in random batches; by event time out of order, with watermarks that none of them is late for.
pub fn batches(rows: &[Row], case: &Case, random: &mut StdRng) -> Vec<Element> {
    let mut elements = Vec::new();
    let mut rest = rows;
    while !rest.is_empty() {
        // Rows of the same time stay on one side of the watermark.
        let mut cut = random.random_range(1..=rest.len().min(30));
        while cut < rest.len() && rest[cut].time == rest[cut - 1].time {
            cut += 1;
        }
        let (part, later) = rest.split_at(cut);
        let mut part = part.to_vec();
        if case.clock == Clock::Event {
            part.shuffle(random);
        }
        for rows in part.chunks(random.random_range(1..10)) {
            elements.push(Element::Batch(batch(rows)));
        }
        let latest = part.iter().map(|row| row.time).max().unwrap();
        elements.push(Element::Watermark(Watermark::At(latest)));
        rest = later;
    }
    elements
}

fn binary(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
    Expression::Binary { left: Box::new(left), operator, right: Box::new(right) }
}

fn number(value: i64) -> Expression {
    Expression::Literal(Literal::Int64(value))
}

fn row(variable: Option<usize>, position: Position, column: usize) -> Reference {
    Reference::Row { variable, position, value: Expression::Column(column) }
}

fn aggregate(variable: Option<usize>, function: AggregateFunction, column: Option<usize>, distinct: bool) -> Reference {
    Reference::Aggregate { variable, function, argument: column.map(Expression::Column), distinct }
}

/// `C0` is whether the row has the variable's letter, `C1` the row's value.
fn condition(variable: usize, extra: Extra) -> PatternExpression {
    let has_letter = Expression::Like {
        expression: Box::new(Expression::Column(1)),
        pattern: Box::new(Expression::Literal(Literal::Utf8(format!("%{}%", letter(variable))))),
        escape: None,
        negated: false,
    };
    let own = Some(variable);
    let mut references = vec![
        Reference::Row { variable: own, position: Position::Last(0), value: has_letter },
        row(own, Position::Last(0), VALUE),
    ];
    let (reference, test) = match extra {
        Extra::None => return PatternExpression { expression: Expression::Column(0), references },
        Extra::Rising => {
            let above = binary(Expression::Column(1), BinaryOperator::Greater, Expression::Column(2));
            let none = Expression::IsNull(Box::new(Expression::Column(2)));
            (row(own, Position::Last(1), VALUE), binary(none, BinaryOperator::Or, above))
        }
        Extra::SumBelow(limit) => (
            aggregate(None, AggregateFunction::Sum, Some(VALUE), false),
            binary(Expression::Column(2), BinaryOperator::Less, number(limit)),
        ),
        Extra::AboveFirst => (
            row(None, Position::First(0), VALUE),
            binary(Expression::Column(1), BinaryOperator::GreaterOrEqual, Expression::Column(2)),
        ),
        Extra::AbovePrevious => (
            row(own, Position::Before(1), VALUE),
            binary(Expression::Column(1), BinaryOperator::Greater, Expression::Column(2)),
        ),
        Extra::FewDistinct(limit) => (
            aggregate(own, AggregateFunction::Count, Some(VALUE), true),
            binary(Expression::Column(2), BinaryOperator::LessOrEqual, number(limit)),
        ),
    };
    references.push(reference);
    PatternExpression { expression: binary(Expression::Column(0), BinaryOperator::And, test), references }
}

pub fn letter(variable: usize) -> char {
    char::from(b'a' + variable as u8)
}

fn pattern(case: &Case) -> Pattern {
    let part = |(variable, term): (usize, &Term)| Pattern::Repeat {
        pattern: Box::new(Pattern::Variable(variable)),
        least: term.least,
        most: term.most,
        greedy: term.greedy,
    };
    Pattern::Sequence(case.terms.iter().enumerate().map(part).collect())
}

fn measures() -> Vec<Reference> {
    vec![
        row(None, Position::First(0), NUMBER),
        row(None, Position::Last(0), NUMBER),
        row(Some(0), Position::Last(1), VALUE),
        row(Some(1), Position::First(1), VALUE),
        row(Some(0), Position::Before(1), NUMBER),
        aggregate(None, AggregateFunction::Count, None, false),
        aggregate(Some(0), AggregateFunction::Sum, Some(VALUE), false),
        aggregate(Some(1), AggregateFunction::Sum, Some(VALUE), true),
    ]
}

pub fn plan(case: &Case) -> StreamPlan {
    let names = ["first", "last", "a", "b", "before", "count", "sum", "distinct"];
    let mut fields = vec![Field::new("key", DataType::Utf8, true)];
    fields.extend(names.iter().map(|name| Field::new(*name, DataType::Int64, true)));
    let output = Arc::new(Schema::new(fields));
    let measures = names.iter().zip(measures()).map(|(name, reference)| Measure {
        name: name.to_string(),
        value: PatternExpression { expression: Expression::Column(0), references: vec![reference] },
    });
    let variables = case.terms.iter().enumerate().map(|(variable, term)| Variable {
        name: letter(variable).to_ascii_uppercase().to_string(),
        condition: Some(condition(variable, term.extra)),
    });
    let matching = MatchRecognize {
        partition: vec![0],
        time_column: TIME,
        clock: case.clock,
        then: vec![SortKey { column: NUMBER, descending: false, nulls_first: true }],
        variables: variables.collect(),
        pattern: pattern(case),
        measures: measures.collect(),
        after_match: case.after,
        within_ms: case.within_ms,
    };
    let table = |name: &str| Table {
        name: name.into(),
        connector: "test".into(),
        options: BTreeMap::new(),
        ..Default::default()
    };
    let node = |uid: &str, inputs, kind, schema: &SchemaRef| PlanNode {
        uid: uid.into(),
        inputs,
        kind,
        schema: schema.clone(),
        changelog: Changelog::Append,
        local_time: None,
    };
    let source = Source { table: table("in"), watermark: None };
    StreamPlan {
        nodes: vec![
            node("source", vec![], NodeKind::Source(source), &input_schema()),
            node("match", vec![0], NodeKind::MatchRecognize(matching), &output),
            node("sink", vec![1], NodeKind::Sink(Sink { table: table("out") }), &output),
        ],
    }
}
