//! A namespace of the cluster under test, and the few things that tests do with objects in it. Faults of the cluster
//! end the test with what was attempted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

/// Who the API server is told we are.
const FIELD_MANAGER: &str = "tidemill-tests";

/// A kind of object that tests handle.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Application,
    Stream,
    Namespace,
    Secret,
    Pod,
    Deployment,
}

impl Kind {
    fn resource(self) -> ApiResource {
        let (group, version, kind) = match self {
            Kind::Application => ("tidemill.dev", "v1alpha1", "Application"),
            Kind::Stream => ("tidemill.dev", "v1alpha1", "Stream"),
            Kind::Namespace => ("", "v1", "Namespace"),
            Kind::Secret => ("", "v1", "Secret"),
            Kind::Pod => ("", "v1", "Pod"),
            Kind::Deployment => ("apps", "v1", "Deployment"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }

    fn of(object: &Value) -> Self {
        match object["kind"].as_str() {
            Some("Application") => Kind::Application,
            Some("Stream") => Kind::Stream,
            Some("Secret") => Kind::Secret,
            other => panic!("tests do not apply objects of kind {other:?}"),
        }
    }
}

pub struct Cluster {
    pub client: Client,
    pub namespace: String,
}

impl Cluster {
    /// A new, empty namespace. One that an earlier run left behind under the same name is removed first.
    pub async fn with_namespace(name: &str) -> Self {
        let cluster = Self { client: connect().await, namespace: format!("test-{name}") };
        cluster.remove().await;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}});
        let object = serde_json::from_value(namespace).expect("a namespace is an object");
        let api = Api::<DynamicObject>::all_with(cluster.client.clone(), &Kind::Namespace.resource());
        api.create(&Default::default(), &object).await.expect("create the test's namespace");
        cluster
    }

    /// Deletes the namespace with all in it, and waits until it is gone.
    pub async fn remove(&self) {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &Kind::Namespace.resource());
        if api.get_opt(&self.namespace).await.expect("look for the test's namespace").is_none() {
            return;
        }
        api.delete(&self.namespace, &DeleteParams::default()).await.expect("delete the test's namespace");
        until("the namespace is gone", Duration::from_secs(180), async || {
            api.get_opt(&self.namespace).await.ok()?.is_none().then_some(())
        })
        .await;
    }

    /// Server-side apply, as `kubectl apply --server-side` does it.
    pub async fn apply(&self, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("an object to apply has a name");
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let done = self.api(Kind::of(object)).patch(name, &parameters, &Patch::Apply(object)).await;
        done.unwrap_or_else(|error| panic!("failed to apply {} {name}: {error}", object["kind"]));
    }

    /// A merge patch, as `kubectl patch --type merge` does it.
    pub async fn patch(&self, kind: Kind, name: &str, patch: Value) {
        let done = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        done.unwrap_or_else(|error| panic!("failed to patch {kind:?} {name}: {error}"));
    }

    /// As `kubectl scale --replicas` does it: through the scale subresource.
    pub async fn scale(&self, name: &str, replicas: u32) {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let done = self.api(Kind::Application).patch_scale(name, &PatchParams::default(), &patch).await;
        done.unwrap_or_else(|error| panic!("failed to scale {name}: {error}"));
    }

    pub async fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let object = self.api(kind).get_opt(name).await.ok()??;
        Some(serde_json::to_value(object).expect("an object is JSON"))
    }

    /// Names of the pods with these labels, in order.
    pub async fn pods(&self, selector: &str) -> Vec<String> {
        let list = self.api(Kind::Pod).list(&ListParams::default().labels(selector)).await.expect("list pods");
        let mut names: Vec<String> = list.items.into_iter().filter_map(|pod| pod.metadata.name).collect();
        names.sort();
        names
    }

    /// Deletes a pod and does not wait.
    pub async fn delete_pod(&self, name: &str) {
        self.api(Kind::Pod).delete(name, &DeleteParams::default()).await.expect("delete a pod");
    }

    /// What the operator's Deployment sets an environment variable to, whichever namespace it is in.
    pub async fn operator_setting(&self, name: &str) -> Option<String> {
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &Kind::Deployment.resource());
        let labels = ListParams::default().labels("app.kubernetes.io/name=tidemill");
        let list = api.list(&labels).await.expect("list Deployments");
        let objects = list.items.into_iter().map(|object| serde_json::to_value(object).expect("an object is JSON"));
        let variables = objects.flat_map(|object| {
            let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array).cloned();
            let of_container = |container: Value| container["env"].as_array().cloned().unwrap_or_default();
            containers.unwrap_or_default().into_iter().flat_map(of_container)
        });
        let mut values = variables.filter(|variable| variable["name"] == name);
        values.find_map(|variable| variable["value"].as_str().map(str::to_owned))
    }

    /// What a pod's HTTP server answers, asked through the API server.
    pub async fn ask(&self, pod: &str, port: u16, path: &str) -> Option<Value> {
        let uri = format!("/api/v1/namespaces/{}/pods/{pod}:{port}/proxy{path}", self.namespace);
        let request = http::Request::get(uri).body(Vec::new()).expect("the address is built from names");
        self.client.request(request).await.ok()
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }
}

/// Asks every 50 ms until there is an answer.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < limit, "after {limit:?} still not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The folder of the cluster that `tests/cluster/up.sh` made, if it is one.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("TIDEMILL_TEST_CLUSTER").map(PathBuf::from)
}

/// A setting that the tests cannot do without.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; `make test-cluster` sets it"))
}

async fn connect() -> Client {
    let path = setting("TIDEMILL_TEST_KUBECONFIG");
    let file = Kubeconfig::read_from(&path).unwrap_or_else(|error| panic!("failed to read {path}: {error}"));
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("use the kubeconfig");
    Client::try_from(config).expect("connect to the cluster")
}
