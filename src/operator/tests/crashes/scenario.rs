//! Plays what a user does, with a crash at one call, until nothing changes any more.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidemill_operator::context::Context;
use tidemill_operator::metrics::Metrics;
use tidemill_operator::settings::Settings;
use tidemill_operator::{application, controllers, snapshot};

use crate::api_server::{ApiServer, NAMESPACE};
use crate::cluster::{APP, Cluster};
use crate::fuse::{CrashPoint, Fuse};

/// What a user does, and how it has to end.
pub struct Scenario<'a> {
    pub steps: &'a [Step],
    pub expected: &'a str,
}

/// One act of a user. After each, all comes to rest, unless reconciles are counted.
#[derive(Clone, Copy)]
pub enum Step {
    Create,
    /// Values (JSON) by their places in the Application.
    Edit(&'static [(&'static str, &'static str)]),
    /// The next act comes after so many reconciles and not at rest.
    Reconciles(usize),
    Snapshot,
    Delete,
}

/// Runs a scenario undisturbed, and then with a crash at each of its calls.
pub async fn check(scenario: Scenario<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let storage = format!("file://{}", folder.path().display());
    let undisturbed = run(&scenario, &storage, None).await;
    assert_eq!(undisturbed.end, scenario.expected);
    let mut points = 0;
    for call in 1..=undisturbed.calls {
        for after in [false, true] {
            let crash = CrashPoint { call, after };
            let disturbed = run(&scenario, &storage, Some(crash)).await;
            assert_eq!(disturbed.end, scenario.expected, "{crash:?}");
            assert_eq!(disturbed.version, undisturbed.version, "{crash:?}");
            points += 1;
        }
    }
    println!("{points} crash points");
}

struct Outcome {
    end: String,
    version: Option<String>,
    calls: usize,
}

async fn run(scenario: &Scenario<'_>, storage: &str, crash: Option<CrashPoint>) -> Outcome {
    let mut world = World::new(storage);
    world.fuse.set(crash);
    for (index, step) in scenario.steps.iter().enumerate() {
        world.act(*step).await;
        if !matches!(scenario.steps.get(index + 1), Some(Step::Reconciles(_))) {
            world.rest(crash).await;
        }
    }
    assert_eq!(world.cluster.violations(), Vec::<String>::new(), "{crash:?}");
    let calls = world.fuse.calls();
    world.reconcile().await;
    assert_eq!(world.fuse.calls(), calls, "nothing is written at rest, {crash:?}");
    Outcome { end: world.end(), version: world.cluster.version(), calls }
}

struct World {
    server: Arc<ApiServer>,
    cluster: Arc<Cluster>,
    fuse: Arc<Fuse>,
    context: Arc<Context>,
    now: Timestamp,
}

impl World {
    fn new(storage: &str) -> Self {
        let fuse = Arc::new(Fuse::default());
        let server = ApiServer::new(fuse.clone());
        let cluster = Cluster::new(server.clone(), fuse.clone());
        let settings = settings(storage);
        let (context, _) = controllers::context(server.client(), cluster.clone(), settings, Metrics::default());
        server.put("streams", stream("source", json!({"generator": {}})));
        server.put("streams", stream("sink", json!({"blackhole": {}})));
        Self { server, cluster, fuse, context, now: "2026-01-01T12:00:00Z".parse().unwrap() }
    }

    async fn act(&mut self, step: Step) {
        match step {
            Step::Create => self.server.put("applications", app()),
            Step::Edit(edits) => self.server.change("applications", APP, |app| {
                for (place, value) in edits {
                    set(app, place, serde_json::from_str(value).unwrap());
                }
            }),
            Step::Reconciles(count) => {
                for _ in 0..count {
                    self.round().await;
                }
            }
            Step::Snapshot => self.server.put("applicationsnapshots", snapshot_object()),
            Step::Delete => self.server.delete("applications", APP, &self.now.to_string()),
        }
    }

    /// Until a few rounds in a row change nothing.
    async fn rest(&mut self, crash: Option<CrashPoint>) {
        let mut quiet = 0;
        for _ in 0..200 {
            let before = (self.server.version(), self.cluster.summary(), self.cluster.incarnation());
            self.round().await;
            let after = (self.server.version(), self.cluster.summary(), self.cluster.incarnation());
            quiet = if before == after { quiet + 1 } else { 0 };
            if quiet == 3 {
                return;
            }
        }
        panic!("no rest after 200 rounds, {crash:?}: {}", self.end());
    }

    async fn round(&mut self) {
        self.reconcile().await;
        // The dead operator is started again by Kubernetes.
        if self.fuse.is_dead() {
            self.fuse.restart();
        }
        self.cluster.tick();
        self.now += SignedDuration::from_secs(1);
    }

    async fn reconcile(&self) {
        // Faults are what this is about: the next round tries again.
        let _ = application::reconcile_at(&self.context, NAMESPACE, APP, self.now).await;
        for object in self.server.list("applicationsnapshots") {
            let name = object["metadata"]["name"].as_str().unwrap();
            let _ = snapshot::reconcile_at(&self.context, NAMESPACE, name, self.now).await;
        }
    }

    fn end(&self) -> String {
        let app = self.server.get("applications", APP);
        let status = app.map_or("gone".into(), |app| app["status"]["status"].as_str().unwrap_or("none").to_string());
        let snapshots: Vec<String> = self.server.list("applicationsnapshots").iter().map(snapshot_text).collect();
        let snapshots =
            if snapshots.is_empty() { String::new() } else { format!("; snapshots: {}", snapshots.join(", ")) };
        format!("{status}; {}{snapshots}", self.cluster.summary())
    }
}

fn snapshot_text(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_string();
    format!("{} {}", text(&object["metadata"]["name"]), text(&object["status"]["phase"]))
}

fn set(object: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[name] = value;
}

fn app() -> Value {
    json!({
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": "Application",
        "metadata": {"name": APP, "uid": "12345678-app"},
        "spec": {
            "code": {"sql": "INSERT INTO sink SELECT page FROM source"},
            "inputs": [{"name": "source", "streamRef": {"name": "source"}}],
            "outputs": [{"name": "sink", "streamRef": {"name": "sink"}}],
            "scaling": {"kpus": 1, "parallelismPerKpu": 1},
        },
    })
}

fn stream(name: &str, mut spec: Value) -> Value {
    spec["columns"] = json!([{"name": "page", "type": "STRING"}]);
    json!({"apiVersion": "tidemill.dev/v1alpha1", "kind": "Stream", "metadata": {"name": name}, "spec": spec})
}

fn snapshot_object() -> Value {
    json!({
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": "ApplicationSnapshot",
        "metadata": {"name": "s"},
        "spec": {"applicationRef": {"name": APP}},
    })
}

fn settings(storage: &str) -> Settings {
    Settings {
        worker_image: "localhost/tidemill:1".into(),
        image_pull_policy: String::new(),
        kpu_cpu: "1".into(),
        kpu_memory: "4Gi".into(),
        default_storage_uri: storage.into(),
        default_storage_endpoint: String::new(),
        default_storage_region: String::new(),
        default_storage_secret: String::new(),
        listen: ([127, 0, 0, 1], 0).into(),
        lease_namespace: String::new(),
        identity: "model".into(),
    }
}
