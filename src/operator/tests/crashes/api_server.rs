//! A model of the API server, in memory: as much of it as the operator relies on (resource versions, generations,
//! conflicts, finalizers, server-side apply of whole objects, garbage collection by owner). A fuse lets the caller die
//! before or after any writing call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use crate::fuse::{Blown, Fuse};

/// Plural and name; the namespace is always the same.
pub type Key = (String, String);

pub const NAMESPACE: &str = "shop";

pub struct ApiServer {
    state: Mutex<State>,
    fuse: Arc<Fuse>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    version: u64,
}

impl ApiServer {
    pub fn new(fuse: Arc<Fuse>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), fuse })
    }

    pub fn client(self: &Arc<Self>) -> kube::Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        kube::Client::new(service, NAMESPACE)
    }

    /// Grows with every change.
    pub fn version(&self) -> u64 {
        self.state.lock().unwrap().version
    }

    pub fn get(&self, plural: &str, name: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(&key(plural, name)).cloned()
    }

    pub fn list(&self, plural: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.objects.iter().filter(|((kind, _), _)| kind == plural).map(|(_, object)| object.clone()).collect()
    }

    /// What a user or another controller does; no fuse there.
    pub fn put(&self, plural: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_string();
        self.state.lock().unwrap().store(key(plural, &name), object);
    }

    pub fn change(&self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(plural, name).expect("the object to change is there");
        change(&mut object);
        self.put(plural, object);
    }

    pub fn delete(&self, plural: &str, name: &str, now: &str) {
        let mut state = self.state.lock().unwrap();
        let Some(mut object) = state.objects.get(&key(plural, name)).cloned() else { return };
        object["metadata"]["deletionTimestamp"] = json!(now);
        state.store(key(plural, name), object);
    }

    async fn serve(&self, request: Request<Body>) -> Result<Response<Body>, Blown> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("the body is in memory").to_bytes();
        let body: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("bodies are JSON") };
        let path = Path::parse(parts.uri.path());
        if parts.method == Method::GET {
            self.fuse.check()?;
            return Ok(respond(self.read(&path, parts.uri.query().unwrap_or_default())));
        }
        let apply = parts.headers.get("content-type").is_some_and(|kind| kind == "application/apply-patch+yaml");
        self.fuse.before()?;
        let answer = self.state.lock().unwrap().write(&parts.method, &path, body, apply);
        self.fuse.after()?;
        Ok(respond(answer))
    }

    fn read(&self, path: &Path, query: &str) -> Result<Value, StatusCode> {
        if path.plural == "namespaces" {
            return Ok(
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": NAMESPACE}}),
            );
        }
        if let Some(name) = &path.name {
            return self.get(&path.plural, name).ok_or(StatusCode::NOT_FOUND);
        }
        let wanted = selector(query);
        let labels = |object: &Value, (name, value): &(String, String)| object["metadata"]["labels"][name] == *value;
        let items =
            self.list(&path.plural).into_iter().filter(|object| wanted.iter().all(|wanted| labels(object, wanted)));
        Ok(json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items.collect::<Vec<_>>()}))
    }
}

impl State {
    fn write(&mut self, method: &Method, path: &Path, body: Value, apply: bool) -> Result<Value, StatusCode> {
        if path.plural == "events" {
            return Ok(body);
        }
        let name = path
            .name
            .clone()
            .or_else(|| body["metadata"]["name"].as_str().map(str::to_string))
            .expect("objects have names");
        let key = key(&path.plural, &name);
        let before = self.objects.get(&key).cloned();
        let after = match (method, before) {
            (&Method::POST, None) => body,
            (&Method::POST, Some(_)) => return Err(StatusCode::CONFLICT),
            (&Method::PATCH, None) if apply => body,
            (_, None) => return Err(StatusCode::NOT_FOUND),
            (&Method::PUT, Some(before)) => {
                fresh(&before, &body)?;
                let mut after = before;
                let part = if path.status { "status" } else { "spec" };
                after[part] = body[part].clone();
                after
            }
            (&Method::PATCH, Some(before)) => {
                fresh(&before, &body)?;
                let mut after = before;
                merge(&mut after, &body, apply);
                after
            }
            (method, Some(_)) => panic!("the model has no {method}"),
        };
        Ok(self.store(key, after))
    }

    /// Keeps an object as the API server would, and collects garbage.
    fn store(&mut self, key: Key, mut object: Value) -> Value {
        let before = self.objects.get(&key);
        if before == Some(&object) {
            return object;
        }
        self.version += 1;
        let meta = &mut object["metadata"];
        meta["namespace"] = json!(NAMESPACE);
        meta["resourceVersion"] = json!(self.version.to_string());
        if meta["uid"].is_null() {
            meta["uid"] = json!(format!("uid-{}", self.version));
        }
        let changed = before.is_none_or(|before| before["spec"] != object["spec"]);
        let generation = before.and_then(|before| before["metadata"]["generation"].as_i64()).unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + i64::from(changed));
        self.objects.insert(key, object.clone());
        self.collect_garbage();
        object
    }

    fn collect_garbage(&mut self) {
        loop {
            let uids: Vec<Value> = self.objects.values().map(|object| object["metadata"]["uid"].clone()).collect();
            let gone = |object: &Value| {
                let meta = &object["metadata"];
                let finalized = meta["finalizers"].as_array().is_none_or(Vec::is_empty);
                let orphan =
                    meta["ownerReferences"][0]["uid"].is_string() && !uids.contains(&meta["ownerReferences"][0]["uid"]);
                (finalized && meta["deletionTimestamp"].is_string()) || orphan
            };
            let count = self.objects.len();
            self.objects.retain(|_, object| !gone(object));
            if self.objects.len() == count {
                return;
            }
            self.version += 1;
        }
    }
}

/// An old resource version is a conflict.
fn fresh(before: &Value, body: &Value) -> Result<(), StatusCode> {
    let (is, said) = (&before["metadata"]["resourceVersion"], &body["metadata"]["resourceVersion"]);
    if said.is_null() || is == said { Ok(()) } else { Err(StatusCode::CONFLICT) }
}

/// A merge patch; for an applied object, what it says takes the place of what was there, key by key.
fn merge(into: &mut Value, patch: &Value, apply: bool) {
    let Some(patch) = patch.as_object() else { return };
    for (name, value) in patch {
        match value {
            Value::Null => drop(into.as_object_mut().map(|map| map.remove(name))),
            Value::Object(_) if !(apply && (name == "spec" || name == "data")) => {
                if !into[name].is_object() {
                    into[name] = json!({});
                }
                merge(&mut into[name], value, apply);
            }
            Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                into[name] = value.clone();
            }
        }
    }
}

struct Path {
    plural: String,
    name: Option<String>,
    status: bool,
}

impl Path {
    fn parse(path: &str) -> Self {
        let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
        // The path ends with the namespace's name if it is the namespace that is meant.
        let plural = parts.next().unwrap_or("namespaces").to_string();
        Self { plural, name: parts.next().map(str::to_string), status: parts.next() == Some("status") }
    }
}

fn selector(query: &str) -> Vec<(String, String)> {
    let decoded = query.replace("%3D", "=").replace("%2C", ",").replace("%2F", "/");
    let Some((_, wanted)) = decoded.split_once("labelSelector=") else { return vec![] };
    let wanted = wanted.split('&').next().unwrap_or_default();
    wanted.split(',').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

fn key(plural: &str, name: &str) -> Key {
    (plural.to_string(), name.to_string())
}

fn respond(answer: Result<Value, StatusCode>) -> Response<Body> {
    let (code, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(code) => {
            let reason = if code == StatusCode::NOT_FOUND { "NotFound" } else { "Conflict" };
            let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "reason": reason, "message": reason});
            (code, body)
        }
    };
    Response::builder().status(code).body(Body::from(serde_json::to_vec(&body).unwrap())).unwrap()
}
