//! Talking to a job's coordinator over HTTP. All requests may be repeated.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use tidemill_model::job::JobSpec;
use tidemill_model::status::{ErrorBody, JOB_API_PORT, JobStatus, SnapshotRequest, StopMode, StopRequest};

/// Why the coordinator did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum JobApiError {
    #[error("failed to reach the job at {address}")]
    Reach { address: String, source: reqwest::Error },
    #[error("the job at {address} refused: {message}")]
    Refused { address: String, message: String },
    #[error("failed to read the answer of the job at {address}")]
    Answer { address: String, source: reqwest::Error },
}

/// Waits for a status newer than `after`, for at most `wait`.
#[derive(Clone, Copy, Debug)]
pub struct LongPoll {
    pub after: u64,
    pub wait: Duration,
}

/// The job API of the worker at `address` (host and port).
pub trait JobApi: Send + Sync {
    fn status<'a>(&'a self, address: &'a str, poll: Option<LongPoll>) -> BoxFuture<'a, Result<JobStatus, JobApiError>>;
    fn put_job<'a>(&'a self, address: &'a str, job: &'a JobSpec) -> BoxFuture<'a, Result<(), JobApiError>>;
    fn stop<'a>(&'a self, address: &'a str, mode: StopMode) -> BoxFuture<'a, Result<(), JobApiError>>;
    fn snapshot<'a>(&'a self, address: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), JobApiError>>;
}

/// The job API of a pod.
pub fn address(pod_ip: &str) -> String {
    if pod_ip.contains(':') { format!("[{pod_ip}]:{JOB_API_PORT}") } else { format!("{pod_ip}:{JOB_API_PORT}") }
}

/// The real one.
pub struct HttpJobApi {
    client: reqwest::Client,
}

/// A coordinator answers at once; what takes long is told by its status.
const TIMEOUT: Duration = Duration::from_secs(3);

impl HttpJobApi {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(1)).no_proxy().build()?;
        Ok(Self { client })
    }

    async fn send(&self, address: &str, request: reqwest::RequestBuilder) -> Result<reqwest::Response, JobApiError> {
        let reply =
            request.send().await.map_err(|source| JobApiError::Reach { address: address.to_string(), source })?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let code = reply.status();
        let text = reply.text().await.unwrap_or_default();
        let message = serde_json::from_str::<ErrorBody>(&text).map_or_else(|_| code.to_string(), |body| body.error);
        Err(JobApiError::Refused { address: address.to_string(), message })
    }

    async fn post(&self, address: &str, path: &str, body: &impl Serialize) -> Result<(), JobApiError> {
        let request = self.client.post(format!("http://{address}{path}")).timeout(TIMEOUT).json(body);
        self.send(address, request).await.map(|_| ())
    }
}

impl JobApi for HttpJobApi {
    fn status<'a>(&'a self, address: &'a str, poll: Option<LongPoll>) -> BoxFuture<'a, Result<JobStatus, JobApiError>> {
        Box::pin(async move {
            let mut request = self.client.get(format!("http://{address}/v1/job"));
            request = match poll {
                Some(LongPoll { after, wait }) => {
                    request.query(&[("after", after), ("waitMs", wait.as_millis() as u64)]).timeout(wait + TIMEOUT)
                }
                None => request.timeout(TIMEOUT),
            };
            let reply = self.send(address, request).await?;
            reply.json().await.map_err(|source| JobApiError::Answer { address: address.to_string(), source })
        })
    }

    fn put_job<'a>(&'a self, address: &'a str, job: &'a JobSpec) -> BoxFuture<'a, Result<(), JobApiError>> {
        Box::pin(async move {
            let request = self.client.put(format!("http://{address}/v1/job")).timeout(TIMEOUT).json(job);
            self.send(address, request).await.map(|_| ())
        })
    }

    fn stop<'a>(&'a self, address: &'a str, mode: StopMode) -> BoxFuture<'a, Result<(), JobApiError>> {
        Box::pin(async move { self.post(address, "/v1/job/stop", &StopRequest { mode }).await })
    }

    fn snapshot<'a>(&'a self, address: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), JobApiError>> {
        let request = SnapshotRequest { name: name.to_string() };
        Box::pin(async move { self.post(address, "/v1/job/snapshots", &request).await })
    }
}
