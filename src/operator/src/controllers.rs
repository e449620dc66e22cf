//! Wires watches to reconcilers, and runs them all.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Config as ControllerConfig, Controller, Predicate, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use crate::context::Context;
use crate::job_api::JobApi;
use crate::job_watch::JobWatches;
use crate::metrics::Metrics;
use crate::resources::{Application, ApplicationSnapshot, Stream};
use crate::settings::Settings;
use crate::stream::StreamContext;
use crate::{application, children, compile, snapshot, stream};

/// Events of one moment are handled by one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(20);
const CONCURRENCY: u16 = 16;

/// What the controllers run with, and the triggers that jobs send.
pub fn context(
    client: Client,
    jobs: Arc<dyn JobApi>,
    settings: Settings,
    metrics: Metrics,
) -> (Arc<Context>, Triggers) {
    let (sender, receiver) = unbounded();
    let watches = JobWatches::new(jobs.clone(), sender);
    (Arc::new(Context::new(client, jobs, watches, settings, metrics)), Triggers(receiver))
}

/// Applications whose jobs have news.
pub struct Triggers(UnboundedReceiver<ObjectRef<Application>>);

/// Runs all controllers until `shutdown`.
pub async fn run(
    context: Arc<Context>,
    triggers: Triggers,
    shutdown: impl Future<Output = ()> + Send + Sync + Clone + 'static,
) {
    let client = context.client.clone();
    let (applications, writer) = reflector::store::<Application>();
    let (streams, streams_writer) = reflector::store::<Stream>();
    let application_changes = changes(&client, writer);
    let stream_changes = changes(&client, streams_writer);
    futures::join!(
        run_applications(
            context.clone(),
            triggers,
            (application_changes, applications.clone()),
            streams.clone(),
            shutdown.clone()
        ),
        run_streams(context.clone(), (stream_changes, streams), applications, shutdown.clone()),
        run_snapshots(context, shutdown),
    );
}

type Changes<K> = futures::stream::BoxStream<'static, Result<K, watcher::Error>>;

/// Objects whose spec, labels or finalizers changed: our own status writes are no news.
fn changes<K>(client: &Client, writer: reflector::store::Writer<K>) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .modify(|object| object.managed_fields_mut().clear())
        .reflect(writer)
        .touched_objects()
        .predicate_filter(predicates::generation.combine(predicates::finalizers), Default::default())
        .boxed()
}

async fn run_applications(
    context: Arc<Context>,
    triggers: Triggers,
    (changed, applications): (Changes<Application>, Store<Application>),
    streams: Store<Stream>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let client = context.client.clone();
    let ours = watcher::Config::default().labels(&format!("{}={}", children::MANAGED_BY_LABEL, children::MANAGED_BY));
    let index = Index { applications: applications.clone(), streams };
    let (by_stream, by_secret, by_map, by_snapshot) = (index.clone(), index.clone(), index.clone(), index);
    Controller::for_stream(changed, applications)
        .with_config(ControllerConfig::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .owns(Api::<StatefulSet>::all(client.clone()), ours.clone())
        .watches(Api::<Pod>::all(client.clone()), ours, |pod| application_of(&pod))
        .watches_stream(changes_of_streams(&client), move |stream: Stream| by_stream.naming_stream(&stream))
        .watches_stream(metadata::<Secret>(&client), move |secret| by_secret.naming_secret(&secret))
        .watches_stream(metadata::<ConfigMap>(&client), move |map| by_map.naming_config_map(&map))
        .watches(Api::<ApplicationSnapshot>::all(client), watcher::Config::default(), move |snapshot| {
            by_snapshot.concerned_by_snapshot(&snapshot)
        })
        .reconcile_on(triggers.0)
        .graceful_shutdown_on(shutdown)
        .run(application::reconcile, application::retry, context)
        .for_each(|result| async move { log("Application", result) })
        .await;
}

async fn run_streams(
    context: Arc<Context>,
    (changed, streams): (Changes<Stream>, Store<Stream>),
    applications: Store<Application>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let all = streams.clone();
    let of_namespace = move |app: Application| {
        let streams = all.state().into_iter().filter(move |stream| stream.namespace() == app.namespace());
        streams.map(|stream| ObjectRef::from_obj(&*stream)).collect::<Vec<_>>()
    };
    let application_changes = watcher(Api::<Application>::all(context.client.clone()), watcher::Config::default())
        .default_backoff()
        .touched_objects()
        .predicate_filter(predicates::generation, Default::default());
    Controller::for_stream(changed, streams)
        .with_config(ControllerConfig::default().debounce(Duration::from_millis(200)).concurrency(4))
        .watches_stream(application_changes, of_namespace)
        .graceful_shutdown_on(shutdown)
        .run(stream::reconcile, stream::retry, Arc::new(StreamContext { context, applications }))
        .for_each(|result| async move { log("Stream", result) })
        .await;
}

async fn run_snapshots(context: Arc<Context>, shutdown: impl Future<Output = ()> + Send + Sync + 'static) {
    Controller::new(Api::<ApplicationSnapshot>::all(context.client.clone()), watcher::Config::default())
        .with_config(ControllerConfig::default().debounce(DEBOUNCE).concurrency(4))
        .graceful_shutdown_on(shutdown)
        .run(snapshot::reconcile, snapshot::retry, context)
        .for_each(|result| async move { log("ApplicationSnapshot", result) })
        .await;
}

fn changes_of_streams(client: &Client) -> impl futures::Stream<Item = Result<Stream, watcher::Error>> + Send + 'static {
    watcher(Api::<Stream>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .touched_objects()
        .predicate_filter(predicates::generation, Default::default())
}

/// Only metadata: what Secrets and ConfigMaps hold is read when it is needed, and not kept.
fn metadata<K>(
    client: &Client,
) -> impl futures::Stream<Item = Result<PartialObjectMeta<K>, watcher::Error>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .touched_objects()
        .predicate_filter(predicates::resource_version, Default::default())
}

fn application_of(pod: &Pod) -> Option<ObjectRef<Application>> {
    let name = pod.labels().get(children::APPLICATION_LABEL)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

/// Finds the Applications that an object concerns.
#[derive(Clone)]
struct Index {
    applications: Store<Application>,
    streams: Store<Stream>,
}

impl Index {
    fn matching(
        &self,
        namespace: Option<String>,
        concerns: impl Fn(&Application) -> bool,
    ) -> Vec<ObjectRef<Application>> {
        let all = self.applications.state().into_iter();
        let matching = all.filter(|app| app.namespace() == namespace && concerns(app));
        matching.map(|app| ObjectRef::from_obj(&*app)).collect()
    }

    fn naming_stream(&self, stream: &Stream) -> Vec<ObjectRef<Application>> {
        let name = stream.name_any();
        self.matching(stream.namespace(), |app| compile::input_streams(app).contains(name.as_str()))
    }

    fn naming_secret(&self, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<Application>> {
        let name = secret.name_any();
        self.matching(secret.namespace(), |app| {
            let named: BTreeSet<&str> = compile::input_streams(app);
            let streams: Vec<Stream> = self
                .streams
                .state()
                .into_iter()
                .filter(|stream| stream.namespace() == app.namespace() && named.contains(stream.name_any().as_str()))
                .map(|stream| Stream::clone(&stream))
                .collect();
            compile::secret_names(app, &streams).contains(name.as_str()) || children::secret_name(app) == name
        })
    }

    fn naming_config_map(&self, map: &PartialObjectMeta<ConfigMap>) -> Vec<ObjectRef<Application>> {
        let name = map.name_any();
        self.matching(map.namespace(), |app| compile::config_map_names(app).contains(name.as_str()))
    }

    fn concerned_by_snapshot(&self, snapshot: &ApplicationSnapshot) -> Vec<ObjectRef<Application>> {
        let name = snapshot.name_any();
        self.matching(snapshot.namespace(), |app| {
            compile::snapshot_name(app) == Some(name.as_str()) || application::final_snapshot_name(app) == name
        })
    }
}

fn log<K, E, Q>(
    kind: &'static str,
    result: Result<(ObjectRef<K>, kube::runtime::controller::Action), kube::runtime::controller::Error<E, Q>>,
) where
    K: Resource<DynamicType = ()>,
    E: std::error::Error + 'static,
    Q: std::error::Error + 'static,
{
    match result {
        // An object that went away while its reconcile was queued.
        Ok(_) | Err(kube::runtime::controller::Error::ObjectNotFound(_)) => {}
        Err(error) => tracing::warn!(kind, error = chain(&error), "reconcile failed, trying again"),
    }
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
