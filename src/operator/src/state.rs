//! An application's state in storage, as far as the operator handles it itself: keeping a checkpoint by a pin, giving
//! it up, and removing what nobody keeps. Only done while no job of the application runs, except giving up a pin.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_model::job::{ApplicationId, StorageSpec};
use tidemill_model::snapshot::Pin;
use tidemill_model::status::Problem;
use tidemill_storage::{ApplicationStore, problem};

/// Keeps a checkpoint under a name. Repeating it changes nothing.
pub async fn write_pin(storage: &StorageSpec, app: &ApplicationId, name: &str, pin: &Pin) -> Result<(), Problem> {
    folder(storage, app)?.write_pin(name, pin).await
}

/// Gives a checkpoint up. It is no fault if nobody kept it.
pub async fn remove_pin(storage: &StorageSpec, app: &ApplicationId, name: &str) -> Result<(), Problem> {
    folder(storage, app)?.delete_pin(name).await
}

/// What of an application's folder nobody keeps.
pub async fn removable(storage: &StorageSpec, app: &ApplicationId) -> Result<Vec<String>, Problem> {
    let (store, folder) = (tidemill_storage::open(storage)?, folder(storage, app)?);
    let mut kept = BTreeSet::new();
    for (name, pin) in folder.list_pins().await? {
        let manifest = folder.read_manifest(&pin.manifest).await?;
        kept.extend(manifest.files().map(str::to_string));
        kept.extend([pin.manifest, folder.paths().pin(&name)]);
    }
    let all = list(&store, folder.paths().root()).await?;
    Ok(all.into_iter().filter(|path| !kept.contains(path)).collect())
}

/// Removes what nobody keeps.
pub async fn remove_state(storage: &StorageSpec, app: &ApplicationId) -> Result<(), Problem> {
    let unwanted = removable(storage, app).await?;
    let store = tidemill_storage::open(storage)?;
    let removals = futures::stream::iter(unwanted).map(|path| remove(&*store, path)).buffer_unordered(8);
    removals.try_collect::<Vec<()>>().await.map(|_| ())
}

fn folder(storage: &StorageSpec, app: &ApplicationId) -> Result<ApplicationStore, Problem> {
    Ok(ApplicationStore::new(tidemill_storage::open(storage)?, app))
}

async fn list(store: &Arc<dyn ObjectStore>, root: &str) -> Result<Vec<String>, Problem> {
    let objects = store.list(Some(&Path::from(root))).map_ok(|object| object.location.to_string());
    objects.try_collect().await.map_err(|error| problem(root, "failed to list the application's state", &error))
}

async fn remove(store: &dyn ObjectStore, path: String) -> Result<(), Problem> {
    match store.delete(&Path::from(path.as_str())).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(problem(&path, "failed to remove state", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::PutPayload;
    use tidemill_model::key_groups::KeyGroupRange;
    use tidemill_model::snapshot::{ApplicationPaths, MANIFEST_FORMAT, Manifest, OperatorState, StateFile};
    use tidemill_model::{CheckpointId, Epoch, Incarnation};

    fn app() -> ApplicationId {
        ApplicationId { namespace: "shop".into(), name: "a".into(), uid: "u".into() }
    }

    async fn put(store: &dyn ObjectStore, path: &str, text: impl Into<PutPayload>) {
        store.put(&Path::from(path), text.into()).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_snapshot_keeps_stays_when_the_rest_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let storage = StorageSpec { uri: format!("file://{}", folder.path().display()), options: Default::default() };
        let (store, paths) = (tidemill_storage::open(&storage).unwrap(), ApplicationPaths::new(&app()));
        let (kept, gone) =
            (paths.state(Incarnation(1), CheckpointId(1), "a"), paths.state(Incarnation(1), CheckpointId(2), "a"));
        let manifest_path = paths.manifest(Incarnation(1), CheckpointId(1));
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            application: app(),
            version: "v".into(),
            incarnation: Incarnation(1),
            checkpoint: CheckpointId(1),
            epoch: Epoch(1),
            parallelism: 1,
            hash_version: 1,
            created_at_ms: 0,
            operators: vec![OperatorState {
                operator: "o".into(),
                layout: "l".into(),
                files: vec![StateFile {
                    path: kept.clone(),
                    bytes: 1,
                    rows: 1,
                    crc32: 0,
                    key_groups: KeyGroupRange::ALL,
                }],
                watermark_ms: None,
            }],
            splits: vec![],
            committables: vec![],
        };
        put(&*store, &kept, "x").await;
        put(&*store, &gone, "x").await;
        put(&*store, &paths.log_record(1), "x").await;
        put(&*store, "shop/a/other-uid/log/1.json", "x").await;
        put(&*store, &manifest_path, serde_json::to_vec(&manifest).unwrap()).await;
        let pin = Pin { checkpoint: CheckpointId(1), manifest: manifest_path.clone(), bytes: 1, created_at_ms: 0 };
        write_pin(&storage, &app(), "s", &pin).await.unwrap();

        remove_state(&storage, &app()).await.unwrap();
        let left = list(&store, paths.root()).await.unwrap().into_iter().collect::<BTreeSet<_>>();
        assert_eq!(left, [kept, manifest_path, paths.pin("s")].into());
        assert!(store.head(&Path::from("shop/a/other-uid/log/1.json")).await.is_ok());

        remove_pin(&storage, &app(), "s").await.unwrap();
        remove_pin(&storage, &app(), "s").await.unwrap();
        remove_state(&storage, &app()).await.unwrap();
        assert_eq!(removable(&storage, &app()).await.unwrap(), Vec::<String>::new());
        assert_eq!(list(&store, paths.root()).await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_unreadable_pin_keeps_everything() {
        let folder = tempfile::tempdir().unwrap();
        let storage = StorageSpec { uri: format!("file://{}", folder.path().display()), options: Default::default() };
        let (store, paths) = (tidemill_storage::open(&storage).unwrap(), ApplicationPaths::new(&app()));
        put(&*store, &paths.pin("s"), "not JSON").await;
        put(&*store, &paths.log_record(1), "x").await;
        assert!(remove_state(&storage, &app()).await.is_err());
        assert!(store.head(&Path::from(paths.log_record(1))).await.is_ok());
    }
}
