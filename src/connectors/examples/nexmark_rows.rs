//! Prints Nexmark's events as JSON, one a line and by kind: `cargo run -p tidemill-connectors --example nexmark_rows EVENTS`.
//! `tests/rival/nexmark-check` compares them with those of the public generator.

use std::io::Write;
use std::sync::Arc;

use arrow_schema::Schema;
use tidemill_connectors::formats::json::JsonOptions;
use tidemill_connectors::formats::json::encoder::Encoder;
use tidemill_connectors::generator::nexmark::{Kind, Nexmark, columns_of};
use tidemill_engine::connector::{AssignedSplit, Connector, Polled, TaskContext};
use tidemill_plan::Table;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events = std::env::args().nth(1).ok_or("usage: nexmark_rows EVENTS")?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (name, kind) in [("person", Kind::Person), ("auction", Kind::Auction), ("bid", Kind::Bid)] {
        print(name, kind, &events, &mut out)?;
    }
    Ok(out.flush()?)
}

fn print(name: &str, kind: Kind, events: &str, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let schema = Arc::new(Schema::new(columns_of(kind)));
    let options = [("nexmark.kind", name), ("events.num", events)].map(|(k, v)| (k.to_string(), v.to_string()));
    let table = Table { name: name.into(), connector: "nexmark".into(), options: options.into(), ..Default::default() };
    let context = TaskContext {
        changelog: tidemill_plan::Changelog::Append,
        application: "a/b".into(),
        application_uid: "u".into(),
        operator: "s".into(),
        parallelism: 1,
    };
    let failed = |problem| format!("{problem:?}");
    let source = Nexmark.source(&table, schema.clone(), &context).map_err(failed)?;
    let splits = source.splits().map_err(failed)?.into_iter();
    let splits = splits.map(|split| AssignedSplit { id: split.id, number: split.number, position: None }).collect();
    let mut reader = source.reader(splits).map_err(failed)?;
    let encoder = Encoder::new(&schema, (0..schema.fields().len()).collect(), JsonOptions::default());
    let mut line = Vec::new();
    while let Polled::Batch { rows: batch, .. } = reader.poll(8192).map_err(failed)? {
        let mut rows = encoder.rows(&batch)?;
        for row in 0..batch.num_rows() {
            line.clear();
            rows.write(row, &mut line);
            writeln!(out, "{}", String::from_utf8_lossy(&line))?;
        }
    }
    Ok(())
}
