//! Reads all that a reconcile needs, now, from the API server and the job. Decides nothing.

use std::collections::BTreeMap;

use futures::future::{try_join_all, try_join3, try_join4};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tidemill_model::job::StorageSpec;

use super::validate::validate;
use super::world::{DesiredChildren, JobObservation, Observed, ObservedPod, ObservedSet, World};
use crate::children;
use crate::compile::{self, References};
use crate::context::Context;
use crate::job_api;
use crate::resources::{Application, ApplicationSnapshot, DeletionPolicy, Stream};
use crate::state;

/// Why the world could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("failed to read the {kind} of application {namespace}/{name}")]
    Read { kind: &'static str, namespace: String, name: String, source: Box<kube::Error> },
}

/// The world of one Application; none if it does not exist any more.
pub async fn fetch(
    context: &Context,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<Option<World>, FetchError> {
    let reader = Reader { context, namespace, name };
    let Some(app) = reader.optional::<Application>("Application", name).await? else { return Ok(None) };
    let deleting = app.metadata.deletion_timestamp.is_some();
    let observed = reader.observed(&app).await?;
    let accepted = if deleting { Err(vec![]) } else { reader.accepted(&app).await? };
    let incarnation = app.status.as_ref().map(|status| status.incarnation).unwrap_or_default();
    let accepted = validate(accepted, observed.stored_job.as_ref(), incarnation);
    let desired = DesiredChildren {
        service_account: children::service_account(&app).as_ref().and_then(children::applied_hash).map(str::to_string),
        service: children::applied_hash(&children::service(&app)).unwrap_or_default().to_string(),
        template: children::template_hash(&app, &context.settings),
    };
    Ok(Some(World { app, accepted, desired, observed, now }))
}

struct Reader<'a> {
    context: &'a Context,
    namespace: &'a str,
    name: &'a str,
}

impl Reader<'_> {
    async fn optional<K>(&self, kind: &'static str, name: &str) -> Result<Option<K>, FetchError>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), self.namespace);
        api.get_opt(name).await.map_err(|source| self.failed(kind, source))
    }

    fn failed(&self, kind: &'static str, source: kube::Error) -> FetchError {
        FetchError::Read { kind, namespace: self.namespace.into(), name: self.name.into(), source: Box::new(source) }
    }

    async fn observed(&self, app: &Application) -> Result<Observed, FetchError> {
        let secret_name = children::secret_name(app);
        let (account, service, secret, set) = try_join4(
            self.optional::<ServiceAccount>("ServiceAccount", self.name),
            self.optional::<Service>("Service", self.name),
            self.optional::<Secret>("job Secret", &secret_name),
            self.optional::<StatefulSet>("StatefulSet", self.name),
        )
        .await?;
        let pods = self.pods(app).await?;
        let job = self.job(&pods).await;
        let mut observed = Observed {
            service_account: account
                .as_ref()
                .filter(|child| is_ours(*child, app))
                .and_then(children::applied_hash)
                .map(str::to_string),
            service: service
                .as_ref()
                .filter(|child| is_ours(*child, app))
                .and_then(children::applied_hash)
                .map(str::to_string),
            stored_job: secret.as_ref().and_then(children::stored_job),
            stateful_set: set.as_ref().map(observed_set),
            pods,
            job,
            final_snapshot: None,
            state_removed: false,
            namespace_deleting: false,
        };
        if app.metadata.deletion_timestamp.is_some() {
            self.observe_deletion(app, &mut observed).await?;
        }
        Ok(observed)
    }

    async fn pods(&self, app: &Application) -> Result<Vec<ObservedPod>, FetchError> {
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), self.namespace);
        let list = api.list(&ListParams::default().labels(&children::selector(app))).await;
        let mut pods: Vec<ObservedPod> =
            list.map_err(|source| self.failed("pods", source))?.iter().map(observed_pod).collect();
        pods.sort_by_key(|pod| pod.number);
        Ok(pods)
    }

    async fn job(&self, pods: &[ObservedPod]) -> JobObservation {
        let Some(ip) = coordinator_ip(pods) else { return JobObservation::NoCoordinator };
        match self.context.jobs.status(&job_api::address(ip), None).await {
            Ok(status) => JobObservation::Reachable(Box::new(status)),
            Err(error) => JobObservation::Unreachable { error: error.to_string() },
        }
    }

    async fn observe_deletion(&self, app: &Application, observed: &mut Observed) -> Result<(), FetchError> {
        observed.namespace_deleting = self.namespace_deleting().await?;
        match app.spec.deletion_policy {
            DeletionPolicy::RetainState => {}
            DeletionPolicy::SnapshotThenDelete => {
                let name = final_snapshot_name(app);
                let snapshot = self.optional::<ApplicationSnapshot>("last snapshot", &name).await?;
                observed.final_snapshot = snapshot.map(|snapshot| snapshot.status.unwrap_or_default().phase);
            }
            DeletionPolicy::Delete if observed.pods.is_empty() => {
                observed.state_removed = self.state_removed(app).await
            }
            DeletionPolicy::Delete => {}
        }
        Ok(())
    }

    async fn namespace_deleting(&self) -> Result<bool, FetchError> {
        let api: Api<Namespace> = Api::all(self.context.client.clone());
        let namespace =
            api.get_metadata_opt(self.namespace).await.map_err(|source| self.failed("namespace", source))?;
        Ok(namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
    }

    /// Whether nothing is left in storage. If that cannot be told, the removal is tried, and says why it fails.
    async fn state_removed(&self, app: &Application) -> bool {
        match storage(self.context, app).await {
            Some(storage) => {
                let left = state::removable(&storage, &compile::application_id(app)).await;
                left.is_ok_and(|left| left.is_empty())
            }
            // An application that never had storage has no state.
            None => true,
        }
    }

    async fn accepted(
        &self,
        app: &Application,
    ) -> Result<Result<compile::CompiledJob, Vec<compile::Rejection>>, FetchError> {
        let names = compile::input_streams(app);
        let streams = try_join_all(names.iter().map(|name| self.optional::<Stream>("Stream", name))).await?;
        let streams: Vec<Stream> = streams.into_iter().flatten().collect();
        let references = self.references(app, &streams).await?;
        Ok(compile::job(app, &streams, &references))
    }

    async fn references(&self, app: &Application, streams: &[Stream]) -> Result<References, FetchError> {
        let secret_names = compile::secret_names(app, streams);
        let secrets = try_join_all(secret_names.iter().map(|name| self.optional::<Secret>("Secret", name)));
        let config_map_names = compile::config_map_names(app);
        let config_maps =
            try_join_all(config_map_names.iter().map(|name| self.optional::<ConfigMap>("ConfigMap", name)));
        let snapshot = async {
            match compile::snapshot_name(app) {
                Some(name) => self.optional::<ApplicationSnapshot>("ApplicationSnapshot", name).await,
                None => Ok(None),
            }
        };
        let (secrets, config_maps, snapshot) = try_join3(secrets, config_maps, snapshot).await?;
        let mut references =
            References { default_storage: default_storage(self.context).await, ..References::default() };
        for secret in secrets.into_iter().flatten() {
            references.secret_revisions.insert(secret.name_any(), secret.resource_version().unwrap_or_default());
            references.secrets.insert(secret.name_any(), compile::secret_entries(&secret));
        }
        config_maps.into_iter().flatten().for_each(|map| references.add_config_map(map));
        if let Some(snapshot) = snapshot {
            references.snapshots.insert(snapshot.name_any(), snapshot);
        }
        Ok(references)
    }
}

/// The storage of an Application, with credentials; none if it has none, or names a Secret that is not there.
pub async fn storage(context: &Context, app: &Application) -> Option<StorageSpec> {
    let namespace = app.namespace().unwrap_or_default();
    storage_at(context, &namespace, app.spec.checkpoint.storage.as_ref()).await
}

/// A storage location with credentials.
pub async fn storage_at(
    context: &Context,
    namespace: &str,
    storage: Option<&crate::resources::Storage>,
) -> Option<StorageSpec> {
    let mut references = References { default_storage: default_storage(context).await, ..References::default() };
    if let Some(secret) = storage.and_then(|storage| storage.secret_ref.as_ref()) {
        references.secrets.extend(
            secret_entries(context, namespace, &secret.name).await.map(|entries| (secret.name.clone(), entries)),
        );
    }
    compile::resolve_storage(storage, &references).ok()
}

async fn default_storage(context: &Context) -> Option<StorageSpec> {
    let entries = match context.settings.default_secret() {
        Some((namespace, name)) => secret_entries(context, namespace, name).await.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    context.settings.default_storage(&entries)
}

async fn secret_entries(context: &Context, namespace: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    match api.get_opt(name).await {
        Ok(secret) => secret.as_ref().map(compile::secret_entries),
        Err(error) => {
            tracing::warn!(namespace, secret = name, %error, "failed to read a storage Secret");
            None
        }
    }
}

/// The snapshot that is kept of a deleted Application. The uid tells it from those of namesakes.
pub fn final_snapshot_name(app: &Application) -> String {
    let uid: String = app.uid().unwrap_or_default().chars().take(8).collect();
    format!("{}-final-{uid}", app.name_any())
}

/// The address of worker 0, if it can be asked.
pub fn coordinator_ip(pods: &[ObservedPod]) -> Option<&str> {
    let pod = pods.iter().find(|pod| pod.number == 0 && pod.running)?;
    pod.ip.as_deref()
}

fn is_ours<K: ResourceExt>(child: &K, app: &Application) -> bool {
    child.owner_references().iter().any(|owner| Some(&owner.uid) == app.metadata.uid.as_ref())
}

fn observed_set(set: &StatefulSet) -> ObservedSet {
    let replicas = set.spec.replicas.unwrap_or(1);
    let template = set.annotations().get(children::TEMPLATE_ANNOTATION).cloned().unwrap_or_default();
    ObservedSet { replicas: u32::try_from(replicas).unwrap_or(0), template }
}

fn observed_pod(pod: &Pod) -> ObservedPod {
    let name = pod.name_any();
    let number = name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(u32::MAX);
    let status = pod.status.as_ref();
    let container = status.and_then(|status| status.container_statuses.as_ref()).and_then(|list| list.first());
    let state = container.and_then(|container| container.state.as_ref());
    let waiting = state.and_then(|state| state.waiting.as_ref());
    ObservedPod {
        number,
        ip: status.and_then(|status| status.pod_ip.clone()),
        running: state.is_some_and(|state| state.running.is_some()),
        trouble: waiting.and_then(waiting_trouble).or_else(|| unschedulable(pod)),
        deleting: pod.metadata.deletion_timestamp.is_some(),
    }
}

/// Kubernetes also says `waiting` while all goes well.
fn waiting_trouble(waiting: &k8s_openapi::api::core::v1::ContainerStateWaiting) -> Option<(String, String)> {
    let reason = waiting.reason.clone()?;
    match reason.as_str() {
        "ContainerCreating" | "PodInitializing" => None,
        _ => Some((reason, waiting.message.clone().unwrap_or_default())),
    }
}

fn unschedulable(pod: &Pod) -> Option<(String, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled =
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    let remedy = "lower podTemplate.resources or scaling.kpus, or add nodes";
    let message = scheduled.message.clone().unwrap_or_default();
    Some((scheduled.reason.clone().unwrap_or_else(|| "Unschedulable".into()), format!("{message}; {remedy}")))
}
