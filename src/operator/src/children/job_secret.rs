//! The Secret that holds the newest JobSpec: a coordinator that starts takes its job from here. Table options may hold
//! credentials, so it is a Secret and not a ConfigMap.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use tidemill_model::job::JobSpec;

use super::{metadata, stamped};
use crate::resources::Application;

/// The key of the JobSpec, and the file's name in the pods.
pub const JOB_KEY: &str = "job.json";

pub fn secret_name(app: &Application) -> String {
    format!("{}-job", app.name_any())
}

pub fn job_secret(app: &Application, job: &JobSpec) -> Secret {
    let text = serde_json::to_vec(job).expect("a JobSpec is made of plain JSON values");
    stamped(Secret {
        metadata: metadata(app, secret_name(app)),
        type_: Some("Opaque".into()),
        data: Some([(JOB_KEY.to_string(), ByteString(text))].into()),
        ..Secret::default()
    })
}

/// The job in a Secret; none if it cannot be read, and has to be written anew.
pub fn stored_job(secret: &Secret) -> Option<JobSpec> {
    serde_json::from_slice(&secret.data.as_ref()?.get(JOB_KEY)?.0).ok()
}
