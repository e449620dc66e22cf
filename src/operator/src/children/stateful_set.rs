//! The worker pods: one per KPU, all alike, told apart by their number.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use tidemill_model::status::{COORDINATOR_PORT, JOB_API_PORT};

use super::job_secret::{JOB_KEY, secret_name};
use super::labels::{pod_labels, selector_labels};
use super::{content_hash, coordinator_address, metadata, stamped};
use crate::resources::{Application, LogLevel};
use crate::settings::Settings;

/// Holds the hash of the pod template: another one means new pods.
pub const TEMPLATE_ANNOTATION: &str = "tidemill.dev/template";

const JOB_FOLDER: &str = "/etc/tidemill/job";
const WORK_FOLDER: &str = "/work";
/// The user of the image.
const USER: i64 = 65532;
/// Enough for a worker to end its engine; the job's own stop has come before, where it matters.
const GRACE_SECONDS: i64 = 10;

/// The StatefulSet with this many pods.
pub fn stateful_set(app: &Application, settings: &Settings, replicas: u32) -> StatefulSet {
    let template = template(app, settings);
    let mut meta = metadata(app, app.name_any());
    meta.annotations = Some([(TEMPLATE_ANNOTATION.to_string(), content_hash(&template))].into());
    stamped(StatefulSet {
        metadata: meta,
        spec: StatefulSetSpec {
            replicas: Some(i32::try_from(replicas).unwrap_or(i32::MAX)),
            service_name: Some(app.name_any()),
            pod_management_policy: Some("Parallel".into()),
            // The operator replaces pods itself, all at once after a snapshot: one after the other would restart the
            // job for each.
            update_strategy: Some(StatefulSetUpdateStrategy { type_: Some("OnDelete".into()), rolling_update: None }),
            selector: LabelSelector { match_labels: Some(selector_labels(app)), match_expressions: None },
            template,
            ..StatefulSetSpec::default()
        },
        status: None,
    })
}

/// The hash of the pod template that an Application asks for.
pub fn template_hash(app: &Application, settings: &Settings) -> String {
    content_hash(&template(app, settings))
}

fn template(app: &Application, settings: &Settings) -> PodTemplateSpec {
    let wanted = &app.spec.pod_template;
    let some = |map: &BTreeMap<String, String>| Some(map.clone()).filter(|map| !map.is_empty());
    let tolerations: Vec<Toleration> = wanted.tolerations.iter().map(toleration).collect();
    let pull_secrets =
        wanted.image_pull_secrets.iter().map(|secret| LocalObjectReference { name: secret.name.clone() });
    let pull_secrets: Vec<LocalObjectReference> = pull_secrets.collect();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod_labels(app)),
            annotations: some(&wanted.annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(app.spec.service_account_name.clone().unwrap_or_else(|| app.name_any())),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            security_context: Some(pod_security()),
            node_selector: some(&wanted.node_selector),
            tolerations: Some(tolerations).filter(|list| !list.is_empty()),
            image_pull_secrets: Some(pull_secrets).filter(|list| !list.is_empty()),
            containers: vec![worker(app, settings)],
            volumes: Some(volumes(app)),
            ..PodSpec::default()
        }),
    }
}

fn worker(app: &Application, settings: &Settings) -> Container {
    let resources = &app.spec.pod_template.resources;
    let cpu = resources.cpu.as_ref().unwrap_or(&settings.kpu_cpu);
    let memory = resources.memory.as_ref().unwrap_or(&settings.kpu_memory);
    let kpu: BTreeMap<String, Quantity> =
        [("cpu".to_string(), Quantity(cpu.clone())), ("memory".to_string(), Quantity(memory.clone()))].into();
    let port = |name: &str, port: u16| ContainerPort {
        name: Some(name.into()),
        container_port: port.into(),
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    };
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        read_only: Some(read_only).filter(|read_only| *read_only),
        ..VolumeMount::default()
    };
    Container {
        name: "worker".into(),
        image: Some(app.spec.image.clone().unwrap_or_else(|| settings.worker_image.clone())),
        image_pull_policy: Some(settings.image_pull_policy.clone()).filter(|policy| !policy.is_empty()),
        command: Some(vec!["/tidemill-worker".into()]),
        args: Some(vec!["supervise".into()]),
        env: Some(environment(app)),
        ports: Some(vec![port("job-api", JOB_API_PORT), port("coordinator", COORDINATOR_PORT)]),
        resources: Some(ResourceRequirements { requests: Some(kpu.clone()), limits: Some(kpu), claims: None }),
        liveness_probe: Some(probe("/healthz", 10, 6)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![mount("job", JOB_FOLDER, true), mount("work", WORK_FOLDER, false)]),
        ..Container::default()
    }
}

fn environment(app: &Application) -> Vec<EnvVar> {
    let text = |name: &str, value: String| EnvVar { name: name.into(), value: Some(value), value_from: None };
    let field = |name: &str, path: &str| EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { api_version: Some("v1".into()), field_path: path.into() }),
            ..EnvVarSource::default()
        }),
    };
    vec![
        text("TIDEMILL_JOB_FILE", format!("{JOB_FOLDER}/{JOB_KEY}")),
        field("TIDEMILL_WORKER", "metadata.name"),
        text("TIDEMILL_COORDINATOR", coordinator_address(app)),
        field("TIDEMILL_HOST", "status.podIP"),
        text("TIDEMILL_LOG", log_filter(app.spec.log_level).into()),
        text("TMPDIR", WORK_FOLDER.into()),
    ]
}

fn log_filter(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

fn volumes(app: &Application) -> Vec<Volume> {
    vec![
        Volume {
            name: "job".into(),
            secret: Some(SecretVolumeSource { secret_name: Some(secret_name(app)), ..SecretVolumeSource::default() }),
            ..Volume::default()
        },
        Volume { name: "work".into(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() },
    ]
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::Int(JOB_API_PORT.into()),
            scheme: Some("HTTP".into()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
        ..SecurityContext::default()
    }
}

fn toleration(toleration: &crate::resources::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: toleration.operator.clone(),
        value: toleration.value.clone(),
        effect: toleration.effect.clone(),
        toleration_seconds: toleration.toleration_seconds,
    }
}
