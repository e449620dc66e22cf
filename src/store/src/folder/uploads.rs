//! Multipart uploads: parts as files of a folder of their own, joined when the upload is completed.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Condition, Fault, Folder, Result, Stat, Temporary, is_absent, stat, sync};

/// Every part but the last has at least this much, as in S3.
const LEAST_PART: u64 = 5 << 20;
/// Uploads that nobody completed are forgotten at the first start after this time.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What an upload will be.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Target {
    bucket: String,
    key: String,
}

/// A part as the client names it.
#[derive(Clone, Debug)]
pub struct UploadPart {
    pub number: i32,
    pub etag: Option<String>,
}

impl Folder {
    pub fn begin_upload(&self, bucket: &str, key: &str) -> Result<String> {
        self.bucket(bucket)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?;
        let number = self.next_temporary.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = format!("{:x}-{number:x}", since.as_nanos());
        let folder = self.own("uploads").join(&id);
        fs::create_dir(&folder)?;
        let target = Target { bucket: bucket.into(), key: key.into() };
        fs::write(folder.join("target"), serde_json::to_vec(&target).map_err(io::Error::other)?)?;
        sync(&folder)?;
        Ok(id)
    }

    /// The upload's folder, if it is one of this object.
    fn upload(&self, id: &str, bucket: &str, key: &str) -> Result<PathBuf> {
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') || id.is_empty() {
            return Err(Fault::NoSuchUpload);
        }
        let folder = self.own("uploads").join(id);
        let target = match fs::read(folder.join("target")) {
            Err(error) if is_absent(&error) => return Err(Fault::NoSuchUpload),
            other => other?,
        };
        let target: Target = serde_json::from_slice(&target).map_err(io::Error::other)?;
        match target == (Target { bucket: bucket.into(), key: key.into() }) {
            true => Ok(folder),
            false => Err(Fault::NoSuchUpload),
        }
    }

    /// Keeps a file, whose content is on disk, as a part. A part sent again replaces the earlier one.
    pub fn keep_part(&self, part: &Temporary, id: &str, bucket: &str, key: &str, number: i32) -> Result<Stat> {
        let folder = self.upload(id, bucket, key)?;
        let path = folder.join(number.to_string());
        fs::rename(part.path(), &path)?;
        sync(&folder)?;
        stat(&path)?.ok_or(Fault::NoSuchUpload)
    }

    /// Joins the parts and gives the result the object's name.
    pub fn complete_upload(
        &self,
        id: &str,
        bucket: &str,
        key: &str,
        parts: &[UploadPart],
        condition: &Condition,
    ) -> Result<Stat> {
        let folder = self.upload(id, bucket, key)?;
        if parts.is_empty() || !parts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(Fault::InvalidPart);
        }
        let joined = self.temporary();
        let mut file = File::create(joined.path())?;
        for (place, part) in parts.iter().enumerate() {
            let path = folder.join(part.number.to_string());
            let found = stat(&path)?.ok_or(Fault::InvalidPart)?;
            if part.etag.as_ref().is_some_and(|etag| *etag != found.etag) {
                return Err(Fault::InvalidPart);
            }
            if found.size < LEAST_PART && place + 1 < parts.len() {
                return Err(Fault::PartTooSmall);
            }
            io::copy(&mut File::open(&path)?, &mut file)?;
        }
        file.sync_all()?;
        let published = self.publish(&joined, bucket, key, condition)?;
        // Its object is there; what is left is forgotten at a later start.
        let _ = fs::remove_dir_all(&folder);
        Ok(published)
    }

    pub fn abort_upload(&self, id: &str, bucket: &str, key: &str) -> Result<()> {
        fs::remove_dir_all(self.upload(id, bucket, key)?)?;
        Ok(())
    }

    pub(super) fn forget_old_uploads(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.own("uploads"))? {
            let entry = entry?;
            let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > FORGET_AFTER {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}
