//! A Kafka topic opened for reading: its partitions are the splits.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use tidemill_engine::connector::{AssignedSplit, Result, Source, SourceReader, Split, TaskContext};
use tidemill_model::status::ProblemKind;
use tidemill_plan::Table;

use super::client::{Context, OPEN_TIMEOUT, create, fetch_partitions, retry};
use super::config;
use super::metadata::MetadataColumns;
use super::offsets::position;
use super::options::{KafkaOptions, Records};
use super::reader::{KafkaReader, ReaderTable};
use super::records::RecordDecoder;
use super::trouble::Trouble;
use crate::options::invalid;

pub struct KafkaSource {
    table: Table,
    metadata: Arc<MetadataColumns>,
    options: Arc<KafkaOptions>,
    application: String,
    trouble: Trouble,
}

impl KafkaSource {
    pub fn new(table: &Table, schema: SchemaRef, options: KafkaOptions, context: &TaskContext) -> Result<Self> {
        if !options.key_in_value && options.records == Records::Rows {
            let message = "a table with `value.fields-include` = `EXCEPT_KEY` can only be written";
            return Err(invalid(table, message, "declare another table for reading, whose values hold all columns"));
        }
        let metadata = Arc::new(MetadataColumns::new(table, schema, &options.topic)?);
        // Refuses columns that the format cannot fill, before any broker is asked.
        RecordDecoder::new(table, metadata.recorded(), &options, 0)?;
        let trouble = source_trouble(table, &options);
        let application = context.application.clone();
        let source = Self { table: table.clone(), metadata, options: Arc::new(options), application, trouble };
        // Likewise properties that librdkafka does not take.
        source.client()?;
        Ok(source)
    }

    /// A client for a few questions. It is not kept: what it says meanwhile would have to be listened to.
    fn client(&self) -> Result<BaseConsumer<Context>> {
        create(&config::consumer(&self.options, &self.application, 1), &self.trouble)
    }
}

fn source_trouble(table: &Table, options: &KafkaOptions) -> Trouble {
    Trouble::new(&table.name, ProblemKind::SourceUnreachable, servers(options))
}

pub fn servers(options: &KafkaOptions) -> &str {
    options.properties.iter().find(|(name, _)| name == "bootstrap.servers").map_or("", |(_, value)| value)
}

impl Source for KafkaSource {
    fn splits(&self) -> Result<Vec<Split>> {
        let what = format!("list the partitions of `{}`", self.options.topic);
        let client = self.client()?;
        let partitions = retry(&self.trouble, &what, OPEN_TIMEOUT, |timeout| {
            fetch_partitions(client.client(), &self.options.topic, timeout)
        })?;
        Ok(partitions.into_iter().map(|number| Split { id: number.to_string(), number: number as u64 }).collect())
    }

    fn reader(&self, splits: Vec<AssignedSplit>) -> Result<Box<dyn SourceReader>> {
        let trouble = source_trouble(&self.table, &self.options);
        let config = config::consumer(&self.options, &self.application, splits.len());
        let table = ReaderTable {
            application: self.application.clone(),
            table: self.table.clone(),
            metadata: self.metadata.clone(),
            options: self.options.clone(),
            client: Arc::new(create(&config, &trouble)?),
            trouble,
        };
        Ok(Box::new(KafkaReader::new(table, &splits)?))
    }

    fn bounded(&self) -> bool {
        self.options.bounded
    }

    fn discovery(&self) -> Option<Duration> {
        self.options.discovery.filter(|_| !self.options.bounded)
    }

    /// A partition that was added is read whole, wherever the others began.
    fn beginning(&self, _: &Split) -> Option<Value> {
        Some(position(0, None))
    }
}
