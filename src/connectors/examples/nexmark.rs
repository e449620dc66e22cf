//! What Nexmark's events cost to make: `cargo run -p tidemill-connectors --release --example nexmark`.
//!
//! Prints events per CPU second of this process and CPU seconds per million events, one thread, for each kind with all of its
//! columns and for each column of bids. `EVENTS` sets how many rows (5 million by default).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use tidemill_connectors::generator::nexmark::{Kind, Nexmark, columns_of};
use tidemill_engine::connector::{AssignedSplit, Connector, Polled, TaskContext};
use tidemill_plan::Table;

/// As in the worker: batches are large, and to return each to the system would cost as much as filling it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let rows: usize = std::env::var("EVENTS").map_or(Ok(5_000_000), |count| count.parse())?;
    let bid = columns_of(Kind::Bid);
    measure("bids, all columns", "bid", bid.clone(), rows)?;
    measure("bids, auction and price", "bid", vec![bid[0].clone(), bid[2].clone()], rows)?;
    for column in bid {
        measure(&format!("bids, {}", column.name()), "bid", vec![column], rows)?;
    }
    measure("auctions, all columns", "auction", columns_of(Kind::Auction), rows / 10)?;
    measure("persons, all columns", "person", columns_of(Kind::Person), rows / 10)?;
    let row = |(name, kind)| Field::new(name, DataType::Struct(columns_of(kind).into()), true);
    let rows_of = [("person", Kind::Person), ("auction", Kind::Auction), ("bid", Kind::Bid)].map(row);
    let all = std::iter::once(Field::new("event_type", DataType::Int32, true)).chain(rows_of).collect();
    measure("all events, all columns", "", all, rows)
}

fn measure(name: &str, kind: &str, fields: Vec<Field>, rows: usize) -> Outcome<()> {
    let mut options = BTreeMap::new();
    if !kind.is_empty() {
        options.insert("nexmark.kind".to_string(), kind.to_string());
    }
    let table = Table { name: "events".into(), connector: "nexmark".into(), options, ..Default::default() };
    let context = TaskContext {
        changelog: tidemill_plan::Changelog::Append,
        application: "a/b".into(),
        application_uid: "u".into(),
        operator: "s".into(),
        parallelism: 1,
    };
    let failed = |problem| format!("{problem:?}");
    let source = Nexmark.source(&table, Arc::new(Schema::new(fields)), &context).map_err(failed)?;
    let splits = source.splits().map_err(failed)?.into_iter();
    let splits = splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect();
    let mut reader = source.reader(splits).map_err(failed)?;
    let (before, mut made, mut bytes) = (cpu_seconds()?, 0, 0);
    while made < rows {
        if let Polled::Batch { rows, .. } = reader.poll(8192).map_err(failed)? {
            made += rows.num_rows();
            bytes += rows.get_array_memory_size();
        }
    }
    let seconds = (cpu_seconds()? - before).max(0.01);
    let (rate, cost) = (made as f64 / seconds / 1e6, seconds * 1e6 / made as f64);
    println!("{name:<32} {rate:>8.2} M events/CPU-s {cost:>8.3} CPU-s/M {:>6} bytes each", bytes / made);
    Ok(())
}

/// User and system, in steps of ten milliseconds.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
