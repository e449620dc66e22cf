//! A Kafka topic opened for writing: which columns are the key, and which writer keeps the guarantee.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_schema::SchemaRef;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tidemill_engine::connector::{Committer, Result, Sink, SinkWriter, TaskContext};
use tidemill_model::status::{Problem, ProblemKind};
use tidemill_plan::Table;

use super::client::{Context, OPEN_TIMEOUT, create, fetch_partitions, retry};
use super::config;
use super::live::LiveWriter;
use super::options::{Guarantee, KafkaOptions};
use super::outbox::{OutboxCommitter, OutboxNames, OutboxWriter};
use super::source::servers;
use super::trouble::Trouble;
use crate::formats::json::encoder::Encoder;
use crate::options::Options;

pub struct KafkaSink {
    options: KafkaOptions,
    records: Arc<RecordEncoder>,
    context: TaskContext,
    trouble: Trouble,
}

impl KafkaSink {
    pub fn new(table: &Table, schema: SchemaRef, options: KafkaOptions, context: &TaskContext) -> Result<Self> {
        let records = Arc::new(RecordEncoder::new(table, &schema, &options)?);
        let trouble = Trouble::new(&table.name, ProblemKind::SinkUnreachable, servers(&options));
        let sink = Self { options, records, context: context.clone(), trouble };
        sink.check_topic()?;
        Ok(sink)
    }

    /// A topic that is not there would otherwise show only when the first record is given up.
    fn check_topic(&self) -> Result<()> {
        let mut config = config::base(&self.options, &self.context.application);
        // As a producer does: a broker that makes topics by itself may make this one.
        config.set("allow.auto.create.topics", "true");
        let client: BaseConsumer<Context> = create(&config, &self.trouble)?;
        let what = format!("find the topic `{}`", self.options.topic);
        retry(&self.trouble, &what, OPEN_TIMEOUT, |timeout| {
            fetch_partitions(client.client(), &self.options.topic, timeout)
        })?;
        Ok(())
    }
}

impl Sink for KafkaSink {
    fn writer(&self, _: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(match self.options.guarantee {
            Guarantee::ExactlyOnce => Box::new(OutboxWriter::new(self.records.clone())),
            Guarantee::None | Guarantee::AtLeastOnce => {
                let config = config::producer(&self.options, &self.context.application);
                Box::new(LiveWriter::new(&self.options, &config, self.records.clone(), &self.trouble)?)
            }
        })
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        if self.options.guarantee != Guarantee::ExactlyOnce {
            return Ok(None);
        }
        let (prefix, uid) = (&self.options.transactional_id_prefix, &self.context.application_uid);
        let id = format!("{prefix}-{uid}-{}-{slot}", self.context.operator);
        let names = OutboxNames { topic: self.options.topic.clone(), id };
        let application = &self.context.application;
        let producer = config::transactional_producer(&self.options, application, &names.id);
        let marker = config::group_client(&self.options, application, &names.id);
        Ok(Some(Box::new(OutboxCommitter::new(names, producer, marker, self.trouble.clone()))))
    }
}

/// Rows to the key and value of records.
pub struct RecordEncoder {
    table: String,
    value: Encoder,
    key: Option<Encoder>,
}

impl RecordEncoder {
    fn new(table: &Table, schema: &SchemaRef, options: &KafkaOptions) -> Result<Self> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let place = |name: &String| {
            names
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| Options::new(table).unknown(name, "column for `key.fields`", names.iter().copied()))
        };
        let keys = options.key_fields.iter().map(place).collect::<Result<Vec<_>>>()?;
        let values = (0..names.len()).filter(|column| options.key_in_value || !keys.contains(column)).collect();
        let value = Encoder::new(schema, values, options.json);
        let key = (!keys.is_empty()).then(|| Encoder::new(schema, keys, options.json));
        Ok(Self { table: table.name.clone(), value, key })
    }

    /// Calls `record` with each row's key and value writer.
    pub fn each(
        &self,
        rows: &RecordBatch,
        mut record: impl FnMut(Option<&mut dyn FnMut(&mut Vec<u8>)>, &mut dyn FnMut(&mut Vec<u8>)) -> Result<()>,
    ) -> Result<()> {
        let failed = |error| Problem {
            kind: ProblemKind::Internal,
            object: self.table.clone(),
            message: format!("failed to encode rows: {error}"),
            remedy: "please report this with the table's columns".into(),
        };
        let mut values = self.value.rows(rows).map_err(failed)?;
        let mut keys = self.key.as_ref().map(|key| key.rows(rows)).transpose().map_err(failed)?;
        for row in 0..rows.num_rows() {
            let mut value = |out: &mut Vec<u8>| values.write(row, out);
            match &mut keys {
                None => record(None, &mut value)?,
                Some(keys) => record(Some(&mut |out: &mut Vec<u8>| keys.write(row, out)), &mut value)?,
            }
        }
        Ok(())
    }
}
