//! A store that misbehaves on command.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next puts are carried out, and answered with an error.
    LostReply,
    /// The next puts are not carried out, and answered with an error.
    LostRequest,
    /// `PutMode::Create` overwrites, as with servers that ignore `If-None-Match`.
    CreateOverwrites,
    /// `PutMode::Create` is answered with 501, as the client reports it.
    CreateUnimplemented,
}

/// Passes everything on to another store, but for the first `times` puts.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    times: AtomicU32,
}

impl Faulty {
    pub fn new(inner: Arc<dyn ObjectStore>, fault: Fault, times: u32) -> Arc<Self> {
        Arc::new(Self { inner, fault, times: AtomicU32::new(times) })
    }

    fn strikes(&self) -> bool {
        self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

fn timed_out() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "timed out".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if !self.strikes() {
            return self.inner.put_opts(location, payload, options).await;
        }
        match self.fault {
            Fault::LostReply => {
                let _ = self.inner.put_opts(location, payload, options).await;
                Err(timed_out())
            }
            Fault::LostRequest => Err(timed_out()),
            Fault::CreateUnimplemented => {
                let source = "Server returned non-2xx status code: 501 Not Implemented: <Error/>".into();
                Err(object_store::Error::Generic { store: "faulty", source })
            }
            Fault::CreateOverwrites => {
                options.mode = PutMode::Overwrite;
                self.inner.put_opts(location, payload, options).await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
