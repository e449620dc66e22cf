//! An application's version: a short hash of all that decides what its job computes, and of nothing else. It is made
//! from what the user wrote, not from the plan, so that a newer operator does not restart anything by itself.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tidemill_model::job::StorageSpec;
use tidemill_sql::TableDefinition;

use super::functions::Modules;
use super::references::References;
use crate::resources::{Application, Checkpoint};

#[derive(Serialize)]
struct Behaviour<'a> {
    sql: &'a str,
    tables: Vec<TableDefinition>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    modules: BTreeSet<(&'a str, Option<&'a str>, &'a str)>,
    checkpoint: &'a Checkpoint,
    storage_uri: &'a str,
    secrets: Vec<(&'a str, &'a str)>,
    restore_number: u32,
    allow_non_restored_state: bool,
    restart_epoch: u32,
}

/// The version of an application. Secret values do not go into it, only their revisions.
pub(super) fn of(
    app: &Application,
    sql: &str,
    catalog: &[TableDefinition],
    modules: &Modules,
    storage: &StorageSpec,
    references: &References,
) -> String {
    let revisions = &references.secret_revisions;
    let behaviour = Behaviour {
        sql,
        tables: catalog.iter().map(|table| without_secrets(table, references)).collect(),
        modules: modules.digests(),
        checkpoint: &app.spec.checkpoint,
        storage_uri: &storage.uri,
        secrets: revisions.iter().map(|(name, revision)| (name.as_str(), revision.as_str())).collect(),
        restore_number: app.spec.restore.number,
        allow_non_restored_state: app.spec.restore.allow_non_restored_state,
        restart_epoch: app.spec.restart_epoch,
    };
    let text = serde_json::to_vec(&behaviour).expect("the behaviour is made of plain strings and numbers");
    Sha256::digest(&text).iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

/// Options whose values come from Secrets are left out: a short hash must not be a way to guess them.
fn without_secrets(table: &TableDefinition, references: &References) -> TableDefinition {
    let secret =
        |value: &String| references.secrets.values().any(|entries| entries.values().any(|known| known == value));
    let options = table.options.iter().filter(|(_, value)| !secret(value));
    TableDefinition { options: options.map(|(name, value)| (name.clone(), value.clone())).collect(), ..table.clone() }
}
