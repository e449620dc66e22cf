//! Other objects that an Application and its Streams name: which they are, and what is taken from them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use tidemill_model::job::StorageSpec;

use super::functions::GivenModule;
use super::rejection::{Rejection, RejectionReason};
use crate::resources::{Application, ApplicationSnapshot, ConfigMapKeyRef, RestoreSource, SnapshotPhase, Stream};

/// The objects that were found, by name, all of the Application's namespace. What is not here does not exist.
#[derive(Clone, Default)]
pub struct References {
    /// Secrets, decoded.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// For each Secret, a text that changes with its content, such as its resource version. It becomes part of the
    /// application's version, so that changed credentials reach a running job.
    pub secret_revisions: BTreeMap<String, String>,
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// What the same ConfigMaps hold besides text.
    pub binaries: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    pub snapshots: BTreeMap<String, ApplicationSnapshot>,
    /// Modules of user functions that the Application need not name.
    pub modules: Vec<GivenModule>,
    /// Where checkpoints go unless the Application says otherwise.
    pub default_storage: Option<StorageSpec>,
}

impl References {
    /// Takes in what a ConfigMap holds.
    pub fn add_config_map(&mut self, map: ConfigMap) {
        let name = map.name_any();
        let binaries = map.binary_data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, bytes.0));
        self.binaries.insert(name.clone(), binaries.collect());
        self.config_maps.insert(name, map.data.unwrap_or_default());
    }

    /// A key of a ConfigMap's binary data.
    pub(super) fn binary(&self, wanted: &ConfigMapKeyRef) -> Result<&[u8], Rejection> {
        let map = self.binaries.get(&wanted.name).ok_or_else(|| missing_config_map(&wanted.name))?;
        map.get(&wanted.key).map(Vec::as_slice).ok_or_else(|| {
            Rejection::new(
                RejectionReason::MissingConfigMap,
                format!(
                    "the ConfigMap `{}` has no key `{}` in its binaryData; add it, or correct the key",
                    wanted.name, wanted.key
                ),
            )
        })
    }

    fn secret(&self, name: &str) -> Result<&BTreeMap<String, String>, Rejection> {
        self.secrets.get(name).ok_or_else(|| {
            Rejection::new(
                RejectionReason::MissingSecret,
                format!(
                    "the Secret `{name}` does not exist; create it in the Application's namespace, or correct the name"
                ),
            )
        })
    }

    /// A Secret's entries as options of the object store client, whose names are in lower case.
    pub(super) fn credentials(&self, name: &str) -> Result<BTreeMap<String, String>, Rejection> {
        Ok(self.secret(name)?.iter().map(|(key, value)| (key.to_ascii_lowercase(), value.clone())).collect())
    }

    /// A Secret's entries as client properties.
    pub(super) fn properties(&self, name: &str) -> Result<&BTreeMap<String, String>, Rejection> {
        self.secret(name)
    }

    /// The manifest of the snapshot that an Application restores from.
    pub(super) fn manifest(&self, app: &Application) -> Result<String, Rejection> {
        let refuse = |message: String| Rejection::new(RejectionReason::UnknownSnapshot, message);
        let Some(name) = snapshot_name(app) else {
            return Err(refuse(
                "restore.from is Snapshot but restore.snapshotRef is not set; name an ApplicationSnapshot".into(),
            ));
        };
        let Some(snapshot) = self.snapshots.get(name) else {
            return Err(refuse(format!(
                "the ApplicationSnapshot `{name}` does not exist; correct restore.snapshotRef"
            )));
        };
        let status = snapshot.status.clone().unwrap_or_default();
        match (status.phase, status.manifest) {
            // One that is to be deleted stays as long as it is referred to.
            (SnapshotPhase::Ready | SnapshotPhase::Deleting, Some(manifest)) => Ok(manifest),
            (phase, _) => Err(refuse(format!(
                "the ApplicationSnapshot `{name}` is {phase:?} and not Ready; wait for it, or name another one"
            ))),
        }
    }
}

/// The SQL, wherever it is.
pub(super) fn sql_text(app: &Application, references: &References) -> Result<String, Rejection> {
    let code = &app.spec.code;
    match (&code.sql, &code.sql_from) {
        (Some(sql), None) => Ok(sql.clone()),
        (None, Some(from)) => {
            let wanted = &from.config_map_key_ref;
            let refuse = |message: String| Rejection::new(RejectionReason::MissingConfigMap, message);
            let map = references.config_maps.get(&wanted.name).ok_or_else(|| missing_config_map(&wanted.name))?;
            map.get(&wanted.key).cloned().ok_or_else(|| {
                refuse(format!(
                    "the ConfigMap `{}` has no key `{}`; add it, or correct the key",
                    wanted.name, wanted.key
                ))
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(Rejection::new(RejectionReason::InvalidSetting, "set exactly one of code.sql and code.sqlFrom"))
        }
    }
}

fn missing_config_map(name: &str) -> Rejection {
    let message =
        format!("the ConfigMap `{name}` does not exist; create it in the Application's namespace, or correct the name");
    Rejection::new(RejectionReason::MissingConfigMap, message)
}

/// The names of the Streams that an Application reads or writes.
pub fn input_streams(app: &Application) -> BTreeSet<&str> {
    let inputs = app.spec.inputs.iter().map(|input| input.stream_ref.name.as_str());
    let outputs = app.spec.outputs.iter().map(|output| output.stream_ref.name.as_str());
    inputs.chain(outputs).collect()
}

/// The names of the Secrets that an Application and its Streams take values from.
pub fn secret_names<'a>(app: &'a Application, streams: &'a [Stream]) -> BTreeSet<&'a str> {
    let storage = app.spec.checkpoint.storage.iter().flat_map(|storage| &storage.secret_ref);
    let kafka = streams.iter().flat_map(|stream| &stream.spec.kafka).flat_map(|kafka| &kafka.secret_ref);
    let files = streams.iter().flat_map(|stream| &stream.spec.object_store).flat_map(|store| &store.secret_ref);
    storage.chain(kafka).chain(files).map(|secret| secret.name.as_str()).collect()
}

/// The ConfigMaps that the SQL and modules of user functions are in.
pub fn config_map_names(app: &Application) -> BTreeSet<&str> {
    let sql = app.spec.code.sql_from.iter().map(|from| &from.config_map_key_ref);
    let functions = app.spec.functions.iter().map(|function| &function.config_map_key_ref);
    sql.chain(functions).map(|key| key.name.as_str()).collect()
}

/// The ApplicationSnapshot that the Application restores from.
pub fn snapshot_name(app: &Application) -> Option<&str> {
    match app.spec.restore.from {
        RestoreSource::Snapshot => app.spec.restore.snapshot_ref.as_ref().map(|snapshot| snapshot.name.as_str()),
        RestoreSource::Latest | RestoreSource::Empty => None,
    }
}
