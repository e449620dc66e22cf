//! A Kafka topic opened for writing: which columns are the key, and which writer keeps the guarantee.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tidemill_engine::connector::{Committer, Result, Sink, SinkWriter, TaskContext};
use tidemill_model::status::ProblemKind;
use tidemill_plan::Table;

use super::beside::Target;
use super::client::{Context, OPEN_TIMEOUT, create, fetch_partitions, retry};
use super::config;
use super::live::LiveWriter;
use super::options::{Guarantee, KafkaOptions, Partitioner};
use super::outbox::{OutboxCommitter, OutboxNames, OutboxWriter};
use super::records::RecordEncoder;
use super::source::servers;
use super::trouble::Trouble;

pub struct KafkaSink {
    options: KafkaOptions,
    records: Arc<RecordEncoder>,
    context: TaskContext,
    trouble: Trouble,
    /// The topic's partitions when it was opened.
    partitions: Vec<i32>,
}

impl KafkaSink {
    pub fn new(table: &Table, schema: SchemaRef, options: KafkaOptions, context: &TaskContext) -> Result<Self> {
        let records = Arc::new(RecordEncoder::new(table, &schema, &options)?);
        let trouble = Trouble::new(&table.name, ProblemKind::SinkUnreachable, servers(&options));
        let mut sink = Self { options, records, context: context.clone(), trouble, partitions: Vec::new() };
        sink.partitions = sink.find_topic()?;
        sink.partitions.sort_unstable();
        Ok(sink)
    }

    /// A topic that is not there would otherwise show only when the first record is given up.
    fn find_topic(&self) -> Result<Vec<i32>> {
        let mut config = config::base(&self.options, &self.context.application);
        // As a producer does: a broker that makes topics by itself may make this one.
        config.set("allow.auto.create.topics", "true");
        let client: BaseConsumer<Context> = create(&config, &self.trouble)?;
        let what = format!("find the topic `{}`", self.options.topic);
        retry(&self.trouble, &what, OPEN_TIMEOUT, |timeout| {
            fetch_partitions(client.client(), &self.options.topic, timeout)
        })
    }

    fn target(&self, slot: u32) -> Target {
        let partition = match self.options.partitioner {
            Partitioner::ByKey => None,
            Partitioner::ByWriter => self.partitions.get(slot as usize % self.partitions.len().max(1)).copied(),
        };
        Target { topic: self.options.topic.clone(), partition }
    }
}

impl Sink for KafkaSink {
    fn writer(&self, slot: u32) -> Result<Box<dyn SinkWriter>> {
        Ok(match self.options.guarantee {
            Guarantee::ExactlyOnce => Box::new(OutboxWriter::new(self.records.clone())),
            Guarantee::None | Guarantee::AtLeastOnce => {
                let config = config::producer(&self.options, &self.context.application);
                Box::new(LiveWriter::new(
                    self.target(slot),
                    self.options.guarantee,
                    &config,
                    self.records.clone(),
                    &self.trouble,
                )?)
            }
        })
    }

    fn committer(&self, slot: u32) -> Result<Option<Box<dyn Committer>>> {
        if self.options.guarantee != Guarantee::ExactlyOnce {
            return Ok(None);
        }
        let (prefix, uid) = (&self.options.transactional_id_prefix, &self.context.application_uid);
        let id = format!("{prefix}-{uid}-{}-{slot}", self.context.operator);
        let names = OutboxNames { target: self.target(slot), id };
        let application = &self.context.application;
        let producer = config::transactional_producer(&self.options, application, &names.id);
        let marker = config::group_client(&self.options, application, &names.id);
        Ok(Some(Box::new(OutboxCommitter::new(names, producer, marker, self.trouble.clone()))))
    }
}
