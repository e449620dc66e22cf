//! From a URI and options to a client.

use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use tidemill_model::job::StorageSpec;
use tidemill_model::status::{Problem, ProblemKind};

/// How long one request may take.
const TIMEOUT: &str = "30 seconds";

/// Opens the store that a job keeps its checkpoints in. Paths are relative to the URI. Nothing is read yet.
pub fn open(storage: &StorageSpec) -> Result<Arc<dyn ObjectStore>, Problem> {
    if let Some(folder) = storage.uri.strip_prefix("file://") {
        return open_folder(storage, folder);
    }
    match storage.uri.strip_prefix("s3://") {
        Some(rest) => open_s3(storage, rest),
        None => Err(unknown_scheme(storage)),
    }
}

/// Opens a store to read what lies below the URI, which may be one object as well: the store, and where the URI points to
/// in it. Nothing is read or created yet.
pub fn open_to_read(storage: &StorageSpec) -> Result<(Arc<dyn ObjectStore>, Path), Problem> {
    let unreadable = |_| invalid(storage, "the path is not one of a file or folder", "write it without `..` and `//`");
    if let Some(path) = storage.uri.strip_prefix("file://") {
        let path = Path::from_absolute_path(path).map_err(unreadable)?;
        return Ok((Arc::new(LocalFileSystem::new()), path));
    }
    let Some(rest) = storage.uri.strip_prefix("s3://") else { return Err(unknown_scheme(storage)) };
    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = Path::parse(path.trim_end_matches('/')).map_err(unreadable)?;
    Ok((Arc::new(s3_bucket(storage, bucket)?), path))
}

fn unknown_scheme(storage: &StorageSpec) -> Problem {
    invalid(storage, "the scheme is not supported", "use s3://bucket/prefix or file:///folder")
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
    let store = s3_bucket(storage, bucket)?;
    Ok(match prefix.trim_matches('/') {
        "" => Arc::new(store),
        prefix => Arc::new(PrefixStore::new(store, prefix)),
    })
}

fn s3_bucket(storage: &StorageSpec, bucket: &str) -> Result<AmazonS3, Problem> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // by key and not by ClientOptions, which would replace those from the environment
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT)
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
    builder.build().map_err(|error| problem(&storage.uri, "failed to open the bucket", &error))
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
    Problem {
        kind,
        object: path.to_string(),
        message: format!("{attempt}: {}", without_timing(&chain(error))),
        remedy: remedy.to_string(),
    }
}

/// An error with its causes, each once: some errors quote theirs, others hide the one thing worth knowing.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |text, cause| match text.contains(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}

/// Leaves out how long a request took: a fault that lasts must read the same each time it is met, or whoever watches
/// takes it for news.
pub(crate) fn without_timing(text: &str) -> String {
    let is_time = |word: &str| {
        let word = word.trim_end_matches([',', ';']);
        word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with('s') && word.contains('.')
    };
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        match (words.last(), is_time(word)) {
            (Some(&"in"), true) => {
                words.pop();
            }
            (Some(_) | None, _) => words.push(word),
        }
    }
    words.join(" ")
}

fn invalid(storage: &StorageSpec, message: &str, remedy: &str) -> Problem {
    Problem {
        kind: ProblemKind::StorageUnavailable,
        object: storage.uri.clone(),
        message: message.to_string(),
        remedy: remedy.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_fault_reads_the_same_each_time() {
        let fault = |time: &str| {
            without_timing(&format!("Error performing PUT http://h:1/x in {time} - HTTP error: builder error"))
        };
        assert_eq!(fault("710.639µs"), "Error performing PUT http://h:1/x - HTTP error: builder error");
        assert_eq!(fault("1.369793ms,"), fault("30.2s"));
        assert_eq!(without_timing("found in 3 places"), "found in 3 places");
    }

    #[test]
    fn the_environment_of_an_s3_client_is_kept() {
        // as the library reads it: from_env sets options by key, which a whole set of options would replace
        let builder = AmazonS3Builder::new()
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp), "true")
            .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), TIMEOUT);
        assert_eq!(
            builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)).as_deref(),
            Some("true")
        );
        let storage = StorageSpec { uri: "s3://bucket".into(), options: Default::default() };
        assert!(open(&storage).is_ok(), "the timeout must be one that the library understands");
    }
}
