//! Writes seeded page views to an existing topic, round robin over its partitions, and waits until all are there.
//!
//! usage: bench-load BROKER TOPIC PARTITIONS ROWS SEED

use std::error::Error;

use tidemill_bench::{Loader, page_views};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, partitions, rows, seed] = arguments.as_slice() else {
        return Err("usage: bench-load BROKER TOPIC PARTITIONS ROWS SEED".into());
    };
    let (rows, seed): (u64, u64) = (rows.parse()?, seed.parse()?);
    let mut loader = Loader::new(broker, topic, partitions.parse()?)?;
    let views = page_views(seed);
    let mut row = Vec::new();
    for number in 0..rows {
        row.clear();
        views.json(number, &mut row);
        loader.send(&row)?;
    }
    loader.finish()
}
