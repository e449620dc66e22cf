//! Reading resources from YAML files with many documents, as `kubectl apply -f` takes them, for running without a
//! cluster. What the API server would refuse is refused here too: unknown fields and broken CEL rules.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::functions::GivenModule;
use super::references::References;
use crate::resources::{Application, Stream};

/// The resources of one or more files.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    pub applications: Vec<Application>,
    pub streams: Vec<Stream>,
    pub secrets: Vec<Secret>,
    pub config_maps: Vec<ConfigMap>,
    /// Modules of user functions that no document has.
    pub modules: Vec<GivenModule>,
    /// `Kind name` of documents that mean nothing without a cluster.
    pub ignored: Vec<String>,
}

/// Why a file cannot be used. Documents count from 1.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("document {document}: failed to parse YAML: {source}")]
    Parse { document: usize, source: serde_yaml::Error },
    #[error("document {document}: failed to read the {kind}: {source}")]
    Read { document: usize, kind: String, source: serde_json::Error },
    #[error("document {document}: the {kind} has no field `{field}`")]
    UnknownField { document: usize, kind: String, field: String },
    #[error("document {document}: the {kind} breaks a rule: {message}")]
    Rule { document: usize, kind: String, message: String },
}

/// Adds the documents of a text.
pub fn load(text: &str, into: &mut Documents) -> Result<(), LoadError> {
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let number = index + 1;
        let value = Value::deserialize(document).map_err(|source| LoadError::Parse { document: number, source })?;
        if !value.is_null() {
            add(number, value, into)?;
        }
    }
    Ok(())
}

fn add(document: usize, value: Value, into: &mut Documents) -> Result<(), LoadError> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let (kind, group) = (text(&value["kind"]), text(&value["apiVersion"]));
    match (group.as_str(), kind.as_str()) {
        ("tidemill.dev/v1alpha1", "Application") => {
            let application: Application = strict(document, &kind, value)?;
            application.validate_cel().map_err(|errors| rule(document, &kind, &errors))?;
            into.applications.push(application);
        }
        ("tidemill.dev/v1alpha1", "Stream") => {
            let stream: Stream = strict(document, &kind, value)?;
            stream.validate_cel().map_err(|errors| rule(document, &kind, &errors))?;
            into.streams.push(stream);
        }
        ("v1", "Secret") => into.secrets.push(read(document, &kind, value)?),
        ("v1", "ConfigMap") => into.config_maps.push(read(document, &kind, value)?),
        _ => into.ignored.push(format!("{kind} {}", text(&value["metadata"]["name"]))),
    }
    Ok(())
}

fn rule(document: usize, kind: &str, errors: &impl ToString) -> LoadError {
    LoadError::Rule { document, kind: kind.into(), message: errors.to_string() }
}

fn read<T: DeserializeOwned>(document: usize, kind: &str, value: Value) -> Result<T, LoadError> {
    serde_json::from_value(value).map_err(|source| LoadError::Read { document, kind: kind.into(), source })
}

fn strict<T: DeserializeOwned + Serialize>(document: usize, kind: &str, value: Value) -> Result<T, LoadError> {
    let typed: T = read(document, kind, value.clone())?;
    let known =
        serde_json::to_value(&typed).map_err(|source| LoadError::Read { document, kind: kind.into(), source })?;
    match unknown_field(&value["spec"], &known["spec"]) {
        Some(field) => Err(LoadError::UnknownField { document, kind: kind.into(), field: format!("spec{field}") }),
        None => Ok(typed),
    }
}

/// The first field that was given but did not arrive in the type. Empty values may be left out on the way.
fn unknown_field(given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), _) => given.iter().find_map(|(name, value)| match known.get(name) {
            Some(inner) => unknown_field(value, inner).map(|rest| format!(".{name}{rest}")),
            None if is_empty(value) => None,
            None => Some(format!(".{name}")),
        }),
        (Value::Array(given), Value::Array(known)) => given
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (given, known))| unknown_field(given, known).map(|rest| format!("[{index}]{rest}"))),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl Documents {
    /// The Secrets and ConfigMaps as an Application's references.
    pub fn references(&self) -> References {
        let secrets = self.secrets.iter().map(|secret| (secret.name_any(), secret_entries(secret)));
        let mut references =
            References { secrets: secrets.collect(), modules: self.modules.clone(), ..References::default() };
        self.config_maps.iter().for_each(|map| references.add_config_map(map.clone()));
        references
    }
}

/// A Secret's entries as text; those that are not UTF-8 are left out.
pub fn secret_entries(secret: &Secret) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    for (key, value) in secret.data.iter().flatten() {
        if let Ok(text) = String::from_utf8(value.0.clone()) {
            entries.insert(key.clone(), text);
        }
    }
    entries.extend(secret.string_data.clone().unwrap_or_default());
    entries
}
