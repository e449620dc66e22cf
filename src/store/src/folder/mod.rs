//! Objects as files: a bucket is a folder, an object a file below it ([`names`]).
//!
//! An object is written to a temporary file, put on disk, and only then given its name, by one call that either happens
//! or does not: `link` where nothing may be there, `rename` otherwise. So an object is never seen half written, of many
//! that create it at the same time one succeeds, and what was acknowledged survives a crash. One process owns the folder
//! (it holds a lock on it); within it, names are given and taken one at a time.

pub mod list;
mod names;
mod uploads;

pub use uploads::UploadPart;

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Our own files; no bucket can have this name.
const OWN: &str = ".tidemill-store";

pub struct Folder {
    root: PathBuf,
    next_temporary: AtomicU64,
    /// Held while a name is given or taken.
    naming: Mutex<()>,
    /// Keeps a second server away as long as this one lives.
    _lock: File,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub size: u64,
    pub modified: SystemTime,
    pub etag: String,
}

/// When a write may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// Only if there is no such object.
    Absent,
    /// Only over any object of this name.
    Present,
    /// Only over the object with this ETag.
    Matches(String),
}

/// Why a request cannot be carried out.
#[derive(Debug)]
pub enum Fault {
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    InvalidPart,
    PartTooSmall,
    KeyTooLong,
    ConditionFailed,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub type Result<T> = std::result::Result<T, Fault>;

/// A file that has no name yet, and goes away unless it gets one.
pub struct Temporary {
    path: PathBuf,
}

impl Temporary {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left under the old name.
        let _ = fs::remove_file(&self.path);
    }
}

impl Folder {
    /// Takes the folder over: nobody else may serve it meanwhile.
    pub fn open(root: &Path) -> io::Result<Self> {
        let own = root.join(OWN);
        fs::create_dir_all(own.join("uploads"))?;
        let lock = File::create(own.join("lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(io::ErrorKind::ResourceBusy, format!("another server holds the folder {}", root.display()))
        })?;
        let temporary = own.join("temporary");
        // What a crash left behind was never acknowledged.
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary)?;
        let folder =
            Self { root: root.to_path_buf(), next_temporary: AtomicU64::new(0), naming: Mutex::new(()), _lock: lock };
        folder.forget_old_uploads()?;
        Ok(folder)
    }

    fn own(&self, what: &str) -> PathBuf {
        self.root.join(OWN).join(what)
    }

    pub fn temporary(&self) -> Temporary {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        Temporary { path: self.own("temporary").join(number.to_string()) }
    }

    /// False if it was there already.
    pub fn create_bucket(&self, bucket: &str) -> io::Result<bool> {
        let path = self.root.join(bucket);
        match fs::create_dir(&path) {
            Ok(()) => sync(&self.root).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Names and ages.
    pub fn buckets(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && !name.starts_with('.')
                && entry.file_type()?.is_dir()
            {
                buckets.push((name, entry.metadata()?.modified()?));
            }
        }
        buckets.sort();
        Ok(buckets)
    }

    pub fn bucket(&self, bucket: &str) -> Result<PathBuf> {
        let path = self.root.join(bucket);
        if bucket.starts_with('.') || !path.is_dir() {
            return Err(Fault::NoSuchBucket);
        }
        Ok(path)
    }

    fn object(&self, bucket: &str, key: &str) -> Result<PathBuf> {
        let bucket = self.bucket(bucket)?;
        Ok(bucket.join(names::path(key).ok_or(Fault::KeyTooLong)?))
    }

    pub fn stat(&self, bucket: &str, key: &str) -> Result<Stat> {
        stat(&self.object(bucket, key)?)?.ok_or(Fault::NoSuchKey)
    }

    /// The object as it is now; a later write does not change what is read from here.
    pub fn read(&self, bucket: &str, key: &str) -> Result<(File, Stat)> {
        match File::open(self.object(bucket, key)?) {
            Ok(file) => {
                let stat = Stat::of(&file.metadata()?)?;
                Ok((file, stat))
            }
            Err(error) if is_absent(&error) => Err(Fault::NoSuchKey),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file, whose content is on disk, the name of an object.
    pub fn publish(&self, temporary: &Temporary, bucket: &str, key: &str, condition: &Condition) -> Result<Stat> {
        let path = self.object(bucket, key)?;
        let made = {
            let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
            check(condition, stat(&path)?.as_ref())?;
            let made = create_parents(&path)?;
            match condition {
                Condition::Absent => fs::hard_link(&temporary.path, &path).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Fault::ConditionFailed,
                    _ => Fault::Io(error),
                })?,
                Condition::Always | Condition::Present | Condition::Matches(_) => fs::rename(&temporary.path, &path)?,
            }
            made
        };
        for folder in made {
            sync_if_there(&folder)?;
        }
        stat(&path)?.ok_or(Fault::NoSuchKey)
    }

    /// Deleting what is not there is fine. Folders that become empty go too.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<()> {
        let bucket_path = self.bucket(bucket)?;
        let path = self.object(bucket, key)?;
        let mut kept = path.as_path();
        {
            let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
            match fs::remove_file(&path) {
                Err(error) if is_absent(&error) => return Ok(()),
                other => other?,
            }
            while let Some(parent) = kept.parent() {
                kept = parent;
                if kept == bucket_path || fs::remove_dir(kept).is_err() {
                    break;
                }
            }
        }
        sync_if_there(kept)?;
        Ok(())
    }

    /// A copy of the object in a file of its own.
    pub fn copy(&self, bucket: &str, key: &str) -> Result<(Temporary, Stat)> {
        let (mut from, stat) = self.read(bucket, key)?;
        let temporary = self.temporary();
        let mut to = File::create(temporary.path())?;
        io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        Ok((temporary, stat))
    }
}

fn check(condition: &Condition, current: Option<&Stat>) -> Result<()> {
    match (condition, current) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => Ok(()),
        (Condition::Matches(etag), Some(stat)) if *etag == stat.etag => Ok(()),
        (Condition::Present | Condition::Matches(_), None) => Err(Fault::NoSuchKey),
        (Condition::Absent | Condition::Matches(_), Some(_)) => Err(Fault::ConditionFailed),
    }
}

impl Stat {
    /// Every write makes a new file, so inode, time and size together are as good as a hash, and cost nothing.
    fn of(metadata: &Metadata) -> io::Result<Self> {
        let nanoseconds = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let etag = format!("{:x}-{nanoseconds:x}-{:x}", metadata.ino(), metadata.len());
        Ok(Self { size: metadata.len(), modified: metadata.modified()?, etag })
    }
}

fn stat(path: &Path) -> io::Result<Option<Stat>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Stat::of(&metadata).map(Some),
        Ok(_) => Ok(None),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes the folders above a file and lists those whose entries have changed once the file is there.
fn create_parents(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    let mut folder = path.parent();
    while let Some(parent) = folder {
        changed.push(parent.to_path_buf());
        if parent.is_dir() {
            break;
        }
        folder = parent.parent();
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(changed)
}

/// Puts a folder's entries on disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A folder may have become empty and gone by now; then so are its entries.
fn sync_if_there(folder: &Path) -> io::Result<()> {
    match sync(folder) {
        Err(error) if is_absent(&error) => Ok(()),
        other => other,
    }
}
