//! What a local run changes about a job, and where it keeps things.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tidemill_model::job::{JobSpec, RestoreFrom, RestoreSpec, StorageSpec};

use super::RunOptions;

#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("failed to find a folder for checkpoints: neither XDG_STATE_HOME nor HOME is set; name one with --storage")]
    NoHome,
    #[error("failed to create the folder `{}`; name another one with --storage", .path.display())]
    CreateFolder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// This user's folder for an application.
pub fn state_folder(application: &str) -> Result<PathBuf, PrepareError> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let path = state.or_else(home).ok_or(PrepareError::NoHome)?.join("tidemill").join(application);
    std::fs::create_dir_all(&path).map_err(|source| PrepareError::CreateFolder { path: path.clone(), source })?;
    Ok(path)
}

/// Where checkpoints go. A plain path is taken for a folder.
pub fn storage(asked: Option<&str>, folder: &Path) -> StorageSpec {
    let uri = match asked {
        None => format!("file://{}", folder.join("storage").display()),
        Some(uri) if uri.contains("://") => uri.to_string(),
        Some(path) => format!("file://{}", std::path::absolute(path).unwrap_or_else(|_| path.into()).display()),
    };
    StorageSpec { uri, options: Default::default() }
}

/// The job as it runs here.
pub fn adapt(job: JobSpec, options: &RunOptions) -> JobSpec {
    let workers = options.workers.unwrap_or(job.workers).max(1);
    let threads_per_worker = options.threads.unwrap_or(job.threads_per_worker).max(1);
    let restore = if options.fresh { fresh_start(now_ms()) } else { job.restore };
    JobSpec { workers, threads_per_worker, restore, ..job }
}

/// Carried out once per number, so the number is the time: restarts within the run go on from its own checkpoints.
fn fresh_start(now_ms: u64) -> RestoreSpec {
    RestoreSpec { from: RestoreFrom::Empty, number: now_ms, ..RestoreSpec::default() }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_a_folder_of_the_application_unless_it_is_named() {
        let folder = Path::new("/state/views");
        assert_eq!(storage(None, folder).uri, "file:///state/views/storage");
        assert_eq!(storage(Some("s3://bucket/x"), folder).uri, "s3://bucket/x");
        assert_eq!(storage(Some("/data/here"), folder).uri, "file:///data/here");
    }
}
