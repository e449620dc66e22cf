//! The job API, as this program uses it.

use std::time::Duration;

use tidemill_model::status::{ErrorBody, JobStatus, StopMode, StopRequest};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("failed to ask the job to stop")]
    Stop(#[source] reqwest::Error),
    #[error("the job refused to stop: {0}")]
    Refused(String),
}

#[derive(Clone)]
pub struct Client {
    api: String,
    http: reqwest::Client,
}

impl Client {
    pub fn new(api: &str) -> Self {
        Self { api: api.to_string(), http: reqwest::Client::new() }
    }

    /// The job's status; none while the coordinator does not answer, as in the first moment.
    pub async fn status(&self) -> Option<JobStatus> {
        let request = self.http.get(format!("{}/v1/job", self.api)).timeout(Duration::from_secs(2));
        request.send().await.ok()?.json().await.ok()
    }

    pub async fn stop(&self, mode: StopMode) -> Result<(), ClientError> {
        let request = self.http.post(format!("{}/v1/job/stop", self.api)).timeout(Duration::from_secs(10));
        let answer = request.json(&StopRequest { mode }).send().await.map_err(ClientError::Stop)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let body: ErrorBody = answer.json().await.map_err(ClientError::Stop)?;
        Err(ClientError::Refused(body.error))
    }
}
