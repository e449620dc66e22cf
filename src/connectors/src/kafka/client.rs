//! librdkafka clients that tell their troubles, and the questions asked of a broker when a table is opened.

use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use tidemill_engine::connector::Result;
use tidemill_model::status::{Problem, ProblemKind};

use super::trouble::Trouble;

/// How long opening a table may take before it is given up.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client says besides records.
#[derive(Clone)]
pub struct Context {
    pub trouble: Trouble,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Faults that matter come as errors too; these lines are for whoever looks closer.
        tracing::debug!(target: "librdkafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        if is_trouble(&error) {
            self.trouble.raise(reason.to_string());
        }
    }
}

impl ConsumerContext for Context {}

/// Whether an error of a client means that it cannot work for now. A single lost connection may also be an idle one that
/// the broker closed; raising it costs one question.
fn is_trouble(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, Resolve, SSL};
    let trouble = [AllBrokersDown, Authentication, BrokerTransportFailure, Resolve, SSL];
    error.rdkafka_error_code().is_some_and(|code| trouble.contains(&code))
}

/// Makes a client; a property that librdkafka does not take is the table's fault.
pub fn create<T: FromClientConfigAndContext<Context>>(config: &ClientConfig, trouble: &Trouble) -> Result<T> {
    create_with(config, Context { trouble: trouble.clone() }, trouble)
}

/// The same, for a client that tells more.
pub fn create_with<C, T>(config: &ClientConfig, context: C, trouble: &Trouble) -> Result<T>
where
    C: ClientContext,
    T: FromClientConfigAndContext<C>,
{
    config.create_with_context(context).map_err(|error| match &error {
        KafkaError::ClientConfig(_, description, name, _) => Problem {
            kind: ProblemKind::InvalidOption,
            message: format!("the option `properties.{name}` is refused by the Kafka client: {description}"),
            remedy: "correct it, or leave it out if it is one of the Java client only".into(),
            ..trouble.problem_of(String::new())
        },
        KafkaError::ClientCreation(description) => Problem {
            kind: ProblemKind::InvalidOption,
            message: format!("the Kafka client cannot be made: {description}"),
            remedy: "correct the table's `properties.*`".into(),
            ..trouble.problem_of(String::new())
        },
        _ => trouble.problem_of(format!("failed to make a Kafka client: {error}")),
    })
}

/// Asks again and again until there is an answer or the time is over.
pub fn retry<T>(
    trouble: &Trouble,
    what: &str,
    timeout: Duration,
    mut ask: impl FnMut(Duration) -> std::result::Result<T, String>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match ask(left.min(Duration::from_secs(5)).max(Duration::from_millis(100))) {
            Ok(answer) => return Ok(answer),
            Err(error) if left.is_zero() => return Err(trouble.problem_of(format!("failed to {what}: {error}"))),
            Err(_) => std::thread::sleep(Duration::from_millis(200).min(left)),
        }
    }
}

/// The partitions of a topic, all of which have a leader.
pub fn partitions(metadata: &Metadata, topic: &str) -> std::result::Result<Vec<i32>, String> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let found = found.ok_or_else(|| format!("the topic `{topic}` is not known"))?;
    if let Some(error) = found.error() {
        return Err(format!("the topic `{topic}`: {}", RDKafkaErrorCode::from(error)));
    }
    if found.partitions().is_empty() {
        return Err(format!("the topic `{topic}` has no partitions"));
    }
    match found.partitions().iter().find(|partition| partition.leader() < 0) {
        Some(partition) => Err(format!("partition {} of the topic `{topic}` has no leader", partition.id())),
        None => Ok(found.partitions().iter().map(|partition| partition.id()).collect()),
    }
}

/// The same, asked of the broker.
pub fn fetch_partitions<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> std::result::Result<Vec<i32>, String> {
    let metadata = client.fetch_metadata(Some(topic), timeout).map_err(|error| error.to_string())?;
    partitions(&metadata, topic)
}
