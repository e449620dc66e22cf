//! S3's operations in terms of [`Folder`]: reads requests, calls it off the async threads, words the answers. What is
//! not here is answered `NotImplemented` by s3s.

use std::io;
use std::io::SeekFrom;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::BytesMut;
use futures::StreamExt;
use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::checksums::Sums;
use crate::folder::list::{After, Page, Query, list};
use crate::folder::{Condition, Fault, Folder, Stat, Temporary, UploadPart};

/// Bytes read from disk at a time.
const READ_BYTES: usize = 128 << 10;
const MOST_KEYS: i32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalCreate {
    Supported,
    /// Answered with 501, as by servers that do not know it.
    Refused,
}

pub struct Api {
    folder: Arc<Folder>,
    conditional_create: ConditionalCreate,
}

impl Api {
    pub fn new(folder: Arc<Folder>, conditional_create: ConditionalCreate) -> Self {
        Self { folder, conditional_create }
    }

    /// Runs something that waits for the disk.
    async fn disk<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Folder) -> Result<T, Fault> + Send + 'static,
    ) -> S3Result<T> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || act(&folder)).await;
        done.map_err(S3Error::internal_error)?.map_err(refusal)
    }

    /// Puts a body on disk, without a name.
    async fn receive(&self, body: Option<StreamingBlob>, request: &Parts<'_>) -> S3Result<Temporary> {
        let mut body = body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let mut sums = Sums::wanted(request.headers);
        let temporary = self.folder.temporary();
        let mut file = tokio::fs::File::create(temporary.path()).await.map_err(S3Error::internal_error)?;
        while let Some(bytes) = body.next().await {
            // A body that breaks off is the sender's fault; nothing of it is kept.
            let bytes = bytes.map_err(|error| S3Error::with_source(s3s::S3ErrorCode::IncompleteBody, error))?;
            sums.update(&bytes);
            file.write_all(&bytes).await.map_err(S3Error::internal_error)?;
        }
        let trailers = request.trailers.as_ref().and_then(|trailers| trailers.take());
        sums.check(request.headers, trailers.as_ref())?;
        file.flush().await.map_err(S3Error::internal_error)?;
        file.sync_all().await.map_err(S3Error::internal_error)?;
        Ok(temporary)
    }

    fn condition(&self, absent: Option<ETagCondition>, matches: Option<ETagCondition>) -> S3Result<Condition> {
        match (absent, matches) {
            (None, None) => Ok(Condition::Always),
            (Some(_), _) if self.conditional_create == ConditionalCreate::Refused => {
                Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented"))
            }
            (Some(ETagCondition::Any), None) => Ok(Condition::Absent),
            (None, Some(ETagCondition::Any)) => Ok(Condition::Present),
            (None, Some(ETagCondition::ETag(etag))) => Ok(Condition::Matches(etag.into_value())),
            (Some(_), _) => Err(s3_error!(NotImplemented, "If-None-Match is supported with * only, and alone")),
        }
    }
}

/// What a request has besides its input.
struct Parts<'a> {
    headers: &'a HeaderMap,
    trailers: Option<s3s::TrailingHeaders>,
}

fn refusal(fault: Fault) -> S3Error {
    match fault {
        Fault::NoSuchBucket => s3_error!(NoSuchBucket),
        Fault::NoSuchKey => s3_error!(NoSuchKey),
        Fault::NoSuchUpload => s3_error!(NoSuchUpload),
        Fault::InvalidPart => s3_error!(InvalidPart),
        Fault::PartTooSmall => s3_error!(EntityTooSmall),
        Fault::KeyTooLong => s3_error!(KeyTooLongError),
        Fault::ConditionFailed => s3_error!(PreconditionFailed),
        Fault::Io(error) => {
            tracing::error!(%error, "failed to use the disk");
            S3Error::internal_error(error)
        }
    }
}

fn etag(stat: &Stat) -> Option<ETag> {
    Some(ETag::Strong(stat.etag.clone()))
}

/// Refuses what would be accepted and then forgotten.
fn no_metadata(metadata: &Option<Metadata>) -> S3Result<()> {
    match metadata.as_ref().is_none_or(|metadata| metadata.is_empty()) {
        true => Ok(()),
        false => Err(s3_error!(NotImplemented, "x-amz-meta-* is not kept by this server")),
    }
}

/// Whether a read may go on, by its `If-Match` and `If-None-Match`.
fn may_read(stat: &Stat, matches: Option<ETagCondition>, differs: Option<ETagCondition>) -> S3Result<()> {
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == stat.etag,
    };
    if matches.is_some_and(|condition| !is(&condition)) {
        return Err(s3_error!(PreconditionFailed));
    }
    match differs.is_some_and(|condition| is(&condition)) {
        true => Err(s3_error!(NotModified)),
        false => Ok(()),
    }
}

/// A file's bytes as they are asked for.
fn stream(file: tokio::fs::File, length: u64) -> StreamingBlob {
    StreamingBlob::wrap(futures::stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let mut bytes = BytesMut::with_capacity(READ_BYTES.min(left as usize));
        let read = (&mut file).take(left).read_buf(&mut bytes).await?;
        match read {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(Some((bytes.freeze(), (file, left - read as u64)))),
        }
    }))
}

/// The place where a listing goes on, in letters that need no escape.
fn token(after: &After) -> String {
    URL_SAFE_NO_PAD.encode(match after {
        After::Key(key) => format!("k{key}"),
        After::Prefix(prefix) => format!("p{prefix}"),
    })
}

fn read_token(token: &str) -> Option<After> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    match text.split_at_checked(1)? {
        ("k", key) => Some(After::Key(key.to_string())),
        ("p", prefix) => Some(After::Prefix(prefix.to_string())),
        _ => None,
    }
}

/// With `encoding-type=url` keys are sent escaped, since XML cannot hold every character.
fn name(text: String, encoded: bool) -> String {
    if !encoded {
        return text;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/');
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}

fn listed(page: Page, input: ListObjectsV2Input) -> ListObjectsV2Output {
    let encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
    let count = page.objects.len() + page.prefixes.len();
    let object = |(key, stat): (String, Stat)| Object {
        key: Some(name(key, encoded)),
        e_tag: etag(&stat),
        size: Some(stat.size as i64),
        last_modified: Some(stat.modified.into()),
        ..Object::default()
    };
    let prefix = |prefix| CommonPrefix { prefix: Some(name(prefix, encoded)) };
    ListObjectsV2Output {
        name: Some(input.bucket),
        contents: Some(page.objects.into_iter().map(object).collect()),
        common_prefixes: Some(page.prefixes.into_iter().map(prefix).collect()),
        key_count: Some(count as i32),
        max_keys: Some(input.max_keys.unwrap_or(MOST_KEYS)),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_ref().map(token),
        continuation_token: input.continuation_token,
        prefix: input.prefix.map(|text| name(text, encoded)),
        delimiter: input.delimiter.map(|text| name(text, encoded)),
        start_after: input.start_after.map(|text| name(text, encoded)),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    }
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let bucket = request.input.bucket;
        let location = Some(format!("/{bucket}"));
        match self.disk(move |folder| Ok(folder.create_bucket(&bucket)?)).await? {
            true => Ok(S3Response::new(CreateBucketOutput { location })),
            false => Err(s3_error!(BucketAlreadyOwnedByYou)),
        }
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.disk(move |folder| folder.bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.disk(|folder| Ok(folder.buckets()?)).await?.into_iter().map(|(name, made)| Bucket {
            name: Some(name),
            creation_date: Some(made.into()),
            ..Bucket::default()
        });
        let output = ListBucketsOutput { buckets: Some(buckets.collect()), ..ListBucketsOutput::default() };
        Ok(S3Response::new(output))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let parts = Parts { headers: &request.headers, trailers: request.trailing_headers };
        let input = request.input;
        no_metadata(&input.metadata)?;
        let condition = self.condition(input.if_none_match, input.if_match)?;
        let temporary = self.receive(input.body, &parts).await?;
        let publish = move |folder: &Folder| folder.publish(&temporary, &input.bucket, &input.key, &condition);
        let stat = self.disk(publish).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: etag(&stat), ..PutObjectOutput::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, if_match, if_none_match, .. } = request.input;
        let (file, stat) = self.disk(move |folder| folder.read(&bucket, &key)).await?;
        may_read(&stat, if_match, if_none_match)?;
        let part = match range {
            None => 0..stat.size,
            Some(range) => range.check(stat.size).map_err(|_| s3_error!(InvalidRange))?,
        };
        let mut file = tokio::fs::File::from_std(file);
        if part.start > 0 {
            file.seek(SeekFrom::Start(part.start)).await.map_err(S3Error::internal_error)?;
        }
        let length = part.end - part.start;
        Ok(S3Response::new(GetObjectOutput {
            body: Some(stream(file, length)),
            content_length: Some(length as i64),
            content_range: range.map(|_| format!("bytes {}-{}/{}", part.start, part.end - 1, stat.size)),
            accept_ranges: Some("bytes".into()),
            e_tag: etag(&stat),
            last_modified: Some(stat.modified.into()),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let HeadObjectInput { bucket, key, if_match, if_none_match, .. } = request.input;
        let stat = self.disk(move |folder| folder.stat(&bucket, &key)).await?;
        may_read(&stat, if_match, if_none_match)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(stat.size as i64),
            accept_ranges: Some("bytes".into()),
            e_tag: etag(&stat),
            last_modified: Some(stat.modified.into()),
            ..HeadObjectOutput::default()
        }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        no_metadata(&input.metadata)?;
        let CopySource::Bucket { bucket, key, .. } = input.copy_source else { return Err(s3_error!(NotImplemented)) };
        let (temporary, source) = self.disk(move |folder| folder.copy(&bucket, &key)).await?;
        may_read(&source, input.copy_source_if_match, input.copy_source_if_none_match)?;
        let publish = move |folder: &Folder| folder.publish(&temporary, &input.bucket, &input.key, &Condition::Always);
        let stat = self.disk(publish).await?;
        let result = CopyObjectResult {
            e_tag: etag(&stat),
            last_modified: Some(stat.modified.into()),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        if input.if_match.is_some() {
            return Err(s3_error!(NotImplemented, "If-Match is not supported for deletes"));
        }
        self.disk(move |folder| folder.delete(&input.bucket, &input.key)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        let quiet = delete.quiet.unwrap_or(false);
        let deleted = self.disk(move |folder| {
            delete.objects.into_iter().map(|object| folder.delete(&bucket, &object.key).map(|()| object.key)).collect()
        });
        let deleted: Vec<String> = deleted.await?;
        let report = |key| DeletedObject { key: Some(key), ..DeletedObject::default() };
        let deleted = (!quiet).then(|| deleted.into_iter().map(report).collect());
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => Some(read_token(token).ok_or_else(|| s3_error!(InvalidArgument, "unknown token"))?),
            (None, key) => key.clone().map(After::Key),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after,
            limit: input.max_keys.unwrap_or(MOST_KEYS).clamp(0, MOST_KEYS) as usize,
        };
        let bucket = input.bucket.clone();
        let page = self.disk(move |folder| Ok(list(&folder.bucket(&bucket)?, query)?)).await?;
        Ok(S3Response::new(listed(page, input)))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput { bucket, key, metadata, .. } = request.input;
        no_metadata(&metadata)?;
        let (name, place) = (bucket.clone(), key.clone());
        let id = self.disk(move |folder| folder.begin_upload(&name, &place)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let parts = Parts { headers: &request.headers, trailers: request.trailing_headers };
        let UploadPartInput { body, bucket, key, upload_id, part_number, .. } = request.input;
        let temporary = self.receive(body, &parts).await?;
        let keep = move |folder: &Folder| folder.keep_part(&temporary, &upload_id, &bucket, &key, part_number);
        let stat = self.disk(keep).await?;
        Ok(S3Response::new(UploadPartOutput { e_tag: etag(&stat), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let condition = self.condition(input.if_none_match, input.if_match)?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default().into_iter();
        let parts: Option<Vec<UploadPart>> = parts
            .map(|part| Some(UploadPart { number: part.part_number?, etag: part.e_tag.map(ETag::into_value) }))
            .collect();
        let parts = parts.ok_or_else(|| s3_error!(InvalidPart))?;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id);
        let stat = self.disk(move |folder| folder.complete_upload(&id, &bucket, &key, &parts, &condition)).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: etag(&stat),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        self.disk(move |folder| folder.abort_upload(&upload_id, &bucket, &key)).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
