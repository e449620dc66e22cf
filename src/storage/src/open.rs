//! From a URI and options to a client.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tidemill_model::job::StorageSpec;
use tidemill_model::status::{Problem, ProblemKind};

/// Opens the store that a job keeps its checkpoints in. Paths are relative to the URI. Nothing is read yet.
pub fn open(storage: &StorageSpec) -> Result<Arc<dyn ObjectStore>, Problem> {
    if let Some(folder) = storage.uri.strip_prefix("file://") {
        return open_folder(storage, folder);
    }
    match storage.uri.strip_prefix("s3://") {
        Some(rest) => open_s3(storage, rest),
        None => Err(invalid(storage, "the scheme is not supported", "use s3://bucket/prefix or file:///folder")),
    }
}

fn open_folder(storage: &StorageSpec, folder: &str) -> Result<Arc<dyn ObjectStore>, Problem> {
    std::fs::create_dir_all(folder).map_err(|error| {
        invalid(storage, &format!("failed to create the folder: {error}"), "name a folder that this user may write")
    })?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| problem(&storage.uri, "failed to open the folder", &error))?;
    Ok(Arc::new(store.with_automatic_cleanup(true)))
}

fn open_s3(storage: &StorageSpec, rest: &str) -> Result<Arc<dyn ObjectStore>, Problem> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(ClientOptions::new().with_timeout(std::time::Duration::from_secs(30)))
        .with_retry(RetryConfig {
            max_retries: 5,
            retry_timeout: std::time::Duration::from_secs(30),
            ..RetryConfig::default()
        });
    for (name, value) in &storage.options {
        let key: AmazonS3ConfigKey = name.parse().map_err(|_| {
            invalid(storage, &format!("the option `{name}` is unknown"), "see the storage options in the README")
        })?;
        builder = builder.with_config(key, value);
    }
    let store = builder.build().map_err(|error| problem(&storage.uri, "failed to open the bucket", &error))?;
    Ok(match prefix.trim_matches('/') {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

/// A store's fault, as a problem of the object at `path`.
pub fn problem(path: &str, attempt: &str, error: &object_store::Error) -> Problem {
    use object_store::Error::{NotFound, NotImplemented, NotSupported, PermissionDenied, Unauthenticated};
    let (kind, remedy) = match error {
        NotSupported { .. } | NotImplemented { .. } => (
            ProblemKind::StorageUnsupported,
            "use a store with conditional create (If-None-Match on PUT), such as Amazon S3 or a recent S3-compatible server",
        ),
        PermissionDenied { .. } | Unauthenticated { .. } => (
            ProblemKind::StorageUnavailable,
            "grant the application's credentials reading, writing, listing and deleting on the storage location",
        ),
        NotFound { .. } => (ProblemKind::StorageUnavailable, "check that the bucket and the object exist"),
        _ => (ProblemKind::StorageUnavailable, "check the storage location, its endpoint and the network"),
    };
    Problem { kind, object: path.to_string(), message: format!("{attempt}: {error}"), remedy: remedy.to_string() }
}

fn invalid(storage: &StorageSpec, message: &str, remedy: &str) -> Problem {
    Problem {
        kind: ProblemKind::StorageUnavailable,
        object: storage.uri.clone(),
        message: message.to_string(),
        remedy: remedy.to_string(),
    }
}
