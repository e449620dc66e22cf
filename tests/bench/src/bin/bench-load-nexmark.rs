//! Writes seeded Nexmark events as JSON to an existing topic, round robin over its partitions in the order of their times, and
//! waits until all are there: one kind with its own columns, or all (`event`) as rows of which two are NULL.
//!
//! usage: bench-load-nexmark BROKER TOPIC PARTITIONS {event|person|auction|bid} EVENTS SEED RATE

use std::error::Error;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_bench::Loader;
use tidemill_connectors::formats::json::JsonOptions;
use tidemill_connectors::formats::json::encoder::Encoder;
use tidemill_connectors::generator::nexmark::{Kind, Nexmark, columns_of};
use tidemill_engine::connector::{AssignedSplit, Connector, Polled, Source, TaskContext};
use tidemill_plan::Table;

const BATCH: usize = 8_192;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, partitions, kind, events, seed, rate] = arguments.as_slice() else {
        return Err(
            "usage: bench-load-nexmark BROKER TOPIC PARTITIONS {event|person|auction|bid} EVENTS SEED RATE".into()
        );
    };
    let schema = schema(kind)?;
    let mut loader = Loader::new(broker, topic, partitions.parse()?)?;
    let encoder = Encoder::new(&schema, (0..schema.fields().len()).collect(), JsonOptions::default());
    let options = [("events.num", events), ("seed", seed), ("first-event.rate", rate)];
    let source = source(kind, &options, schema)?;
    each_batch(&*source, |batch| {
        let (mut rows, mut json) = (encoder.rows(batch)?, Vec::new());
        for row in 0..batch.num_rows() {
            json.clear();
            rows.write(row, &mut json);
            loader.send(&json)?;
        }
        Ok(())
    })?;
    loader.finish()
}

fn schema(kind: &str) -> Result<SchemaRef, String> {
    let row = |(name, kind)| Field::new(name, DataType::Struct(columns_of(kind).into()), true);
    let rows = [("person", Kind::Person), ("auction", Kind::Auction), ("bid", Kind::Bid)];
    Ok(Arc::new(Schema::new(match kind {
        "event" => [Field::new("event_type", DataType::Int32, true)].into_iter().chain(rows.map(row)).collect(),
        _ => match rows.iter().find(|(name, _)| *name == kind) {
            Some((_, kind)) => columns_of(*kind),
            None => return Err(format!("unknown kind {kind}")),
        },
    })))
}

fn source(kind: &str, options: &[(&str, &String)], schema: SchemaRef) -> Result<Arc<dyn Source>, String> {
    let mut options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
    options.push(("splits", "1"));
    if kind != "event" {
        options.push(("nexmark.kind", kind));
    }
    let options = options.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let table = Table { name: kind.into(), connector: "nexmark".into(), options, ..Default::default() };
    let context = TaskContext {
        changelog: tidemill_plan::Changelog::Append,
        application: "bench/load".into(),
        application_uid: "bench".into(),
        operator: "load".into(),
        parallelism: 1,
    };
    Nexmark.source(&table, schema, &context).map_err(|problem| format!("{problem:?}"))
}

fn each_batch(
    source: &dyn Source,
    mut handle: impl FnMut(&RecordBatch) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let failed = |problem| format!("{problem:?}");
    let splits = source.splits().map_err(failed)?.into_iter();
    let splits = splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect();
    let mut reader = source.reader(splits).map_err(failed)?;
    loop {
        match reader.poll(BATCH).map_err(failed)? {
            Polled::Batch { rows, .. } => handle(&rows)?,
            Polled::Finished => return Ok(()),
            Polled::Pending | Polled::Ended { .. } | Polled::PendingFor { .. } => {}
        }
    }
}
