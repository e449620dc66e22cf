//! The files below a table's path. Every call blocks, so none of this runs on an engine thread.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_engine::connector::Result;
use tidemill_model::job::StorageSpec;
use tidemill_model::status::{Problem, ProblemKind};
use tokio::runtime::Runtime;

use super::metadata::About;

/// A table's path, opened.
pub struct Files {
    table: String,
    uri: String,
    store: Arc<dyn ObjectStore>,
    base: Path,
    runtime: Runtime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub path: Path,
    pub bytes: u64,
}

impl Files {
    pub fn open(table: &str, storage: &StorageSpec) -> Result<Self> {
        let (store, base) = tidemill_storage::open_to_read(storage).map_err(|problem| Problem {
            kind: ProblemKind::InvalidOption,
            object: table.to_string(),
            message: format!("the path `{}` cannot be opened: {}", storage.uri, problem.message),
            ..problem
        })?;
        let runtime = super::runtime(table)?;
        Ok(Self { table: table.to_string(), uri: storage.uri.clone(), store, base, runtime })
    }

    /// The path's own file, or all files of the folder and of those in it, by name. As in Flink, those whose name, or a
    /// folder's, begins with `.` or `_` are none.
    pub fn list(&self) -> Result<Vec<File>> {
        if let Some(file) = self.own()? {
            return Ok(vec![file]);
        }
        let list = self.store.list(Some(&self.base)).try_collect::<Vec<ObjectMeta>>();
        let found = self.runtime.block_on(list).map_err(|error| self.unreadable(&self.base, "list", &error))?;
        let mut files: Vec<File> = found.into_iter().filter(|meta| self.is_visible(&meta.location)).map(file).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Likewise, but having none is a fault.
    pub fn list_some(&self) -> Result<Vec<File>> {
        match self.list()? {
            files if files.is_empty() => Err(Problem {
                kind: ProblemKind::SourceUnreachable,
                object: self.table.clone(),
                message: format!("there is no file at `{}`", self.uri),
                remedy: "correct the option `path`, or put the files there".to_string(),
            }),
            files => Ok(files),
        }
    }

    /// A part of a file, which ends with the file.
    pub fn read(&self, file: &File, range: Range<u64>) -> Result<Bytes> {
        if range.start >= file.bytes {
            return Ok(Bytes::new());
        }
        let range = range.start..range.end.min(file.bytes);
        let read = self.store.get_range(&file.path, range);
        self.runtime.block_on(read).map_err(|error| self.unreadable(&file.path, "read", &error))
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    /// What is told of a file; asks for its modification time `with_time`.
    pub fn about(&self, file: &File, with_time: bool) -> Result<About> {
        let modified_ms = match with_time {
            false => 0,
            true => {
                let head = self.runtime.block_on(self.store.head(&file.path));
                let head = head.map_err(|error| self.unreadable(&file.path, "look at", &error))?;
                head.last_modified.timestamp_millis()
            }
        };
        let below = self.below(&file.path);
        let uri = self.uri.trim_end_matches('/');
        let path = if below.is_empty() { uri.to_string() } else { format!("{uri}/{below}") };
        Ok(About { path: as_flink_writes(path), bytes: file.bytes, modified_ms })
    }

    /// The part of a file's path that is below the table's.
    pub fn below(&self, path: &Path) -> String {
        match path.prefix_match(&self.base) {
            Some(parts) => parts.map(|part| part.as_ref().to_string()).collect::<Vec<_>>().join("/"),
            None => path.to_string(),
        }
    }

    fn own(&self) -> Result<Option<File>> {
        if self.base.as_ref().is_empty() {
            return Ok(None);
        }
        match self.runtime.block_on(self.store.head(&self.base)) {
            Ok(meta) => Ok(Some(file(meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.unreadable(&self.base, "look at", &error)),
        }
    }

    fn is_visible(&self, path: &Path) -> bool {
        self.below(path).split('/').all(|part| !part.starts_with(['.', '_']))
    }

    fn unreadable(&self, path: &Path, act: &str, error: &object_store::Error) -> Problem {
        let storage = tidemill_storage::problem(path.as_ref(), &format!("failed to {act} `{path}`"), error);
        Problem { kind: ProblemKind::SourceUnreachable, object: self.table.clone(), ..storage }
    }
}

/// A path without a host has one slash behind its scheme.
fn as_flink_writes(uri: String) -> String {
    match uri.split_once(":///") {
        Some((scheme, path)) => format!("{scheme}:/{path}"),
        None => uri,
    }
}

fn file(meta: ObjectMeta) -> File {
    File { path: meta.location, bytes: meta.size }
}
