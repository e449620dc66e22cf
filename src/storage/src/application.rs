//! One application's folder in a store: its manifests, its pins, and the plain reads and writes that everything else
//! here is made of. Says of a missing object that it is missing; never guesses what that means.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_model::job::ApplicationId;
use tidemill_model::snapshot::{ApplicationPaths, MANIFEST_FORMAT, Manifest, Pin};
use tidemill_model::status::{Problem, ProblemKind};

use crate::problem;

/// Requests that are under way at once where many small objects are read or removed.
pub(crate) const CONCURRENCY: usize = 16;

/// Reads and writes one application's objects.
#[derive(Clone, Debug)]
pub struct ApplicationStore {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) paths: ApplicationPaths,
}

impl ApplicationStore {
    pub fn new(store: Arc<dyn ObjectStore>, application: &ApplicationId) -> Self {
        Self { store, paths: ApplicationPaths::new(application) }
    }

    pub fn paths(&self) -> &ApplicationPaths {
        &self.paths
    }

    /// Writes the manifest under its own name and returns that. It means nothing until a log record names it.
    pub async fn write_manifest(&self, manifest: &Manifest) -> Result<String, Problem> {
        let path = self.paths.manifest(manifest.incarnation, manifest.checkpoint);
        self.write(&path, manifest, "failed to write the checkpoint's manifest").await?;
        Ok(path)
    }

    /// Reads a manifest, of this application or another one on the same storage.
    pub async fn read_manifest(&self, path: &str) -> Result<Manifest, Problem> {
        match self.read_optional(path, "failed to read the manifest").await? {
            Some(manifest) => check_format(path, manifest),
            None => Err(unreadable(path, "the manifest does not exist", "name a snapshot that exists")),
        }
    }

    /// Keeps a checkpoint under a name. Repeating it changes nothing.
    pub async fn write_pin(&self, name: &str, pin: &Pin) -> Result<(), Problem> {
        self.write(&self.paths.pin(name), pin, "failed to write the snapshot's entry").await
    }

    pub async fn read_pin(&self, name: &str) -> Result<Option<Pin>, Problem> {
        self.read_optional(&self.paths.pin(name), "failed to read the snapshot's entry").await
    }

    /// Gives a kept checkpoint free. Its files go with the next garbage collection, unless something else needs them.
    pub async fn delete_pin(&self, name: &str) -> Result<(), Problem> {
        self.delete(&self.paths.pin(name)).await
    }

    /// All kept checkpoints, by name.
    pub async fn list_pins(&self) -> Result<BTreeMap<String, Pin>, Problem> {
        let mut pins = BTreeMap::new();
        for path in self.list(&self.paths.pin_folder()).await? {
            let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".json"));
            let (Some(name), Some(pin)) =
                (name, self.read_optional(&path, "failed to read the snapshot's entry").await?)
            else {
                continue; // not one of ours, or removed since it was listed
            };
            pins.insert(name.to_string(), pin);
        }
        Ok(pins)
    }

    /// Removes the application's folder with everything in it, pins included. For the deletion of an application.
    pub async fn delete_everything(&self) -> Result<(), Problem> {
        let all = self.list(self.paths.root()).await?;
        self.delete_all(all).await
    }

    /// The paths of all objects below a folder, in order.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, Problem> {
        let objects = self.store.list(Some(&Path::from(folder)));
        let mut paths: Vec<String> = objects
            .map_ok(|object| object.location.to_string())
            .try_collect()
            .await
            .map_err(|error| problem(folder, "failed to list the folder", &error))?;
        paths.sort();
        Ok(paths)
    }

    pub(crate) async fn read_optional<T: DeserializeOwned>(
        &self,
        path: &str,
        attempt: &str,
    ) -> Result<Option<T>, Problem> {
        let bytes = match self.fetch(path).await {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(problem(path, attempt, &error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(unreadable(
                path,
                &format!("{attempt}: {error}"),
                "restore from an older snapshot, or run the release that wrote this one",
            )),
        }
    }

    async fn fetch(&self, path: &str) -> object_store::Result<bytes::Bytes> {
        self.store.get(&Path::from(path)).await?.bytes().await
    }

    pub(crate) async fn write<T: Serialize>(&self, path: &str, value: &T, attempt: &str) -> Result<(), Problem> {
        let written = self.store.put(&Path::from(path), json(value)).await;
        written.map(drop).map_err(|error| problem(path, attempt, &error))
    }

    /// Removes an object; one that is not there is fine.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Problem> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(problem(path, "failed to remove the object", &error)),
        }
    }

    pub(crate) async fn delete_all(&self, paths: impl IntoIterator<Item = String>) -> Result<(), Problem> {
        futures::stream::iter(paths)
            .map(|path| async move { self.delete(&path).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
    }
}

pub(crate) fn json<T: Serialize>(value: &T) -> PutPayload {
    PutPayload::from(serde_json::to_vec_pretty(value).expect("the protocol's values have string keys only"))
}

fn check_format(path: &str, manifest: Manifest) -> Result<Manifest, Problem> {
    if manifest.format == MANIFEST_FORMAT {
        return Ok(manifest);
    }
    let message = format!("the manifest has format {}, this release reads {MANIFEST_FORMAT}", manifest.format);
    Err(unreadable(path, &message, "run the release that wrote it"))
}

fn unreadable(path: &str, message: &str, remedy: &str) -> Problem {
    Problem {
        kind: ProblemKind::StateUnreadable,
        object: path.to_string(),
        message: message.to_string(),
        remedy: remedy.to_string(),
    }
}
