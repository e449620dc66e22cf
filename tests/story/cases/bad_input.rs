//! Bad input: each shows as a condition of a known reason, with the remedy in its message; nothing crashes; correcting
//! the input is enough.

use serde_json::{Value, json};

use crate::application::{Application, Condition, condition, with_reason};
use crate::cluster::{Cluster, Kind, setting};
use crate::kafka;

const NAME: &str = "app";
const SQL: &str = "INSERT INTO sink\nSELECT page FROM source";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn wrong_sql_is_refused_with_its_place() {
    let bad = Bad::input("wrong-sql").await;
    bad.apply(&generator("source")).await;
    bad.apply(&application("INSERT INTO sink\nSELECT pagee FROM source")).await;
    let refused = bad.is_refused("InvalidSql").await;
    assert!(refused.message().contains("line 2, column 8"), "no place in: {}", refused.message());
    assert!(bad.application().pods().await.is_empty(), "no pods are started for SQL that cannot run");
    bad.patch(json!({"code": {"sql": SQL}})).await;
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn an_unknown_stream_is_waited_for() {
    let bad = Bad::input("unknown-stream").await;
    bad.apply(&application(SQL)).await;
    let refused = bad.is_refused("UnknownStream").await;
    assert!(refused.message().contains("source"), "the Stream is not named in: {}", refused.message());
    bad.apply(&generator("source")).await;
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_missing_secret_is_waited_for() {
    let bad = Bad::input("missing-secret").await;
    kafka::create_topic("missing-secret").await;
    let mut source = kafka_stream("source", "missing-secret");
    source["spec"]["kafka"]["secretRef"] = json!({"name": "broker-password"});
    bad.apply(&source).await;
    bad.apply(&application(SQL)).await;
    let refused = bad.is_refused("MissingSecret").await;
    assert!(refused.message().contains("broker-password"), "the Secret is not named in: {}", refused.message());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"client.id": "app"}});
    bad.apply(&named("broker-password", secret)).await;
    kafka::send("missing-secret", good_records());
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_broker_that_is_away_is_reported_and_waited_for() {
    let bad = Bad::input("broker-away").await;
    kafka::create_topic("broker-away").await;
    let mut source = kafka_stream("source", "broker-away");
    source["spec"]["kafka"]["bootstrapServers"] = json!("127.0.0.1:1");
    bad.apply(&source).await;
    bad.apply(&application(SQL)).await;
    bad.says_somewhere("SourceUnreachable").await;
    kafka::send("broker-away", good_records());
    bad.apply(&kafka_stream("source", "broker-away")).await;
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn storage_that_refuses_is_reported_and_waited_for() {
    let bad = Bad::input("no-bucket").await;
    bad.apply(&generator("source")).await;
    let mut broken = application(SQL);
    broken["spec"]["checkpoint"]["storage"] = json!({
        "uri": "s3://nobody-has-this-bucket/state", "endpoint": "http://127.0.0.1:1",
        "options": {"access_key_id": "x", "secret_access_key": "x", "allow_http": "true"},
    });
    bad.apply(&broken).await;
    bad.says_somewhere("StorageUnavailable").await;
    bad.patch(json!({"checkpoint": {"storage": null}})).await;
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_bucket_without_permission_is_reported_and_waited_for() {
    let bad = Bad::input("no-permission").await;
    let of_operator = async |name| match bad.cluster.operator_setting(name).await {
        Some(value) => value,
        None => panic!("the operator has no {name}: install the chart with store.enabled or defaultStorage"),
    };
    bad.apply(&generator("source")).await;
    let mut broken = application(SQL);
    broken["spec"]["checkpoint"]["storage"] = json!({
        "uri": of_operator("TIDEMILL_DEFAULT_STORAGE_URI").await,
        "endpoint": of_operator("TIDEMILL_DEFAULT_STORAGE_ENDPOINT").await,
        "options": {"access_key_id": "nobody", "secret_access_key": "wrong", "allow_http": "true"},
    });
    bad.apply(&broken).await;
    let reported = bad.says_somewhere("StorageUnavailable").await;
    assert!(reported.message().contains("credentials"), "the remedy is not in: {}", reported.message());
    bad.patch(json!({"checkpoint": {"storage": null}})).await;
    bad.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn undecodable_records_stop_the_job_until_they_may_be_skipped() {
    let bad = Bad::input("undecodable").await;
    kafka::create_topic("undecodable").await;
    kafka::send("undecodable", [(0, r#"{"page": tru"#.to_owned())]);
    bad.apply(&kafka_stream("source", "undecodable")).await;
    bad.apply(&application(SQL)).await;
    let reported = bad.says_somewhere("UndecodableRecord").await;
    assert!(reported.message().contains("source"), "the table is not named in: {}", reported.message());
    kafka::send("undecodable", good_records());
    let mut lenient = kafka_stream("source", "undecodable");
    lenient["spec"]["format"] = json!({"onError": "Skip"});
    bad.apply(&lenient).await;
    bad.application().until_running().await;
    let job = bad.application().job().await.expect("the job answers");
    assert_eq!(job.sources.iter().map(|source| source.undecodable).sum::<u64>(), 1, "the skipped record is counted");
    bad.goes_on().await;
}

/// A namespace with an application in it that cannot run as it is.
struct Bad {
    cluster: Cluster,
}

impl Bad {
    async fn input(test: &str) -> Self {
        let bad = Self { cluster: Cluster::with_namespace(test).await };
        bad.apply(&stream("sink", json!({"blackhole": {}}))).await;
        bad
    }

    fn application(&self) -> Application<'_> {
        Application { cluster: &self.cluster, name: NAME }
    }

    async fn apply(&self, object: &Value) {
        self.cluster.apply(object).await;
    }

    async fn patch(&self, spec: Value) {
        self.cluster.patch(Kind::Application, NAME, json!({"spec": spec})).await;
    }

    /// Waits for `Accepted=False` with this reason.
    async fn is_refused(&self, reason: &str) -> Condition {
        let what = format!("Accepted=False, {reason}");
        let refused = |status: &Value| {
            let accepted = condition(status, "Accepted");
            accepted.is("False") && accepted.reason() == reason
        };
        condition(&self.application().until(&what, refused).await, "Accepted")
    }

    /// Waits for any condition of this reason.
    async fn says_somewhere(&self, reason: &str) -> Condition {
        let what = format!("a condition says {reason}");
        let status = self.application().until(&what, |status| with_reason(status, reason).is_some()).await;
        with_reason(&status, reason).expect("it was there just now")
    }

    /// After the correction: records are processed, and nothing has crashed on the way.
    async fn goes_on(self) {
        let application = self.application();
        application.until_running().await;
        application.first_record_after(tidemill_model::Incarnation(0)).await;
        for pod in application.pods().await {
            let pod = self.cluster.get(Kind::Pod, &pod).await.expect("the pod is there");
            assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "a worker has crashed");
        }
        self.cluster.remove().await;
    }
}

fn named(name: &str, mut object: Value) -> Value {
    object["metadata"] = json!({"name": name});
    object
}

fn application(sql: &str) -> Value {
    named(
        NAME,
        json!({
            "apiVersion": "tidemill.dev/v1alpha1", "kind": "Application",
            "spec": {
                "code": {"sql": sql},
                "inputs": [{"name": "source", "streamRef": {"name": "source"}}],
                "outputs": [{"name": "sink", "streamRef": {"name": "sink"}}],
                "checkpoint": {"interval": "2s"},
                "deletionPolicy": "Delete",
                "podTemplate": {"resources": {"cpu": "500m", "memory": "512Mi"}},
            },
        }),
    )
}

fn stream(name: &str, provider: Value) -> Value {
    let mut stream = named(
        name,
        json!({
            "apiVersion": "tidemill.dev/v1alpha1", "kind": "Stream", "spec": {"columns": [{"name": "page", "type": "STRING"}]},
        }),
    );
    let provider = provider.as_object().expect("a provider is an object").clone();
    stream["spec"].as_object_mut().expect("a spec is an object").extend(provider);
    stream
}

fn generator(name: &str) -> Value {
    stream(name, json!({"generator": {"rowsPerSecond": 100}}))
}

fn kafka_stream(name: &str, topic: &str) -> Value {
    let bootstrap = setting("TIDEMILL_TEST_KAFKA_FROM_PODS");
    stream(name, json!({"kafka": {"bootstrapServers": bootstrap, "topic": topic}}))
}

fn good_records() -> Vec<(i32, String)> {
    (0..kafka::PARTITIONS).map(|partition| (partition, r#"{"page": "/"}"#.to_owned())).collect()
}
