//! Probes and metrics on every worker; the job API on worker 0. The table of requests is in [`tidemill_model::status`].

use std::io;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tidemill_model::job::JobSpec;
use tidemill_model::status::{ErrorBody, JobStatus, SnapshotRequest, StopRequest};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::coordinator::shell::Asked;
use crate::coordinator::{Refusal, Request};
use crate::metrics::{self, WorkerView};

/// The longest long poll.
const LONGEST_WAIT_MS: u64 = 60_000;
/// A job specification holds a whole plan.
const LARGEST_BODY_BYTES: usize = 64 << 20;

/// The way to the coordinator.
#[derive(Clone)]
pub struct JobApi {
    pub status: watch::Receiver<JobStatus>,
    pub requests: mpsc::Sender<Asked>,
}

#[derive(Clone)]
struct Context {
    view: watch::Receiver<WorkerView>,
    job: Option<JobApi>,
}

pub async fn serve(listener: TcpListener, view: watch::Receiver<WorkerView>, job: Option<JobApi>) -> io::Result<()> {
    axum::serve(listener, router(view, job)).await
}

fn router(view: watch::Receiver<WorkerView>, job: Option<JobApi>) -> Router {
    let probes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(Context { view, job: job.clone() });
    let Some(job) = job else { return probes };
    let api = Router::new()
        .route("/v1/job", get(show_job).put(change_job))
        .route("/v1/job/stop", post(stop))
        .route("/v1/job/snapshots", post(snapshot))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY_BYTES))
        .with_state(job);
    probes.merge(api)
}

async fn ready(State(context): State<Context>) -> (StatusCode, &'static str) {
    match context.view.borrow().connected {
        true => (StatusCode::OK, "connected\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not connected to the coordinator\n"),
    }
}

async fn show_metrics(State(context): State<Context>) -> Response {
    let job = context.job.map(|job| job.status.borrow().clone());
    let text = metrics::render(&context.view.borrow(), job.as_ref());
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Poll {
    after: Option<u64>,
    #[serde(default)]
    wait_ms: u64,
}

async fn show_job(State(mut job): State<JobApi>, Query(poll): Query<Poll>) -> Json<JobStatus> {
    if let Some(after) = poll.after {
        let patience = Duration::from_millis(poll.wait_ms.min(LONGEST_WAIT_MS));
        // whether the time is over or the coordinator has ended: the last status is the answer
        let _ = tokio::time::timeout(patience, job.status.wait_for(|status| status.revision > after)).await;
    }
    let status = job.status.borrow().clone();
    Json(status)
}

async fn change_job(State(job): State<JobApi>, body: Result<Json<JobSpec>, JsonRejection>) -> Response {
    ask(job, body.map(|Json(spec)| Request::ChangeJob(Box::new(spec)))).await
}

async fn stop(State(job): State<JobApi>, body: Result<Json<StopRequest>, JsonRejection>) -> Response {
    ask(job, body.map(|Json(stop)| Request::Stop(stop.mode))).await
}

async fn snapshot(State(job): State<JobApi>, body: Result<Json<SnapshotRequest>, JsonRejection>) -> Response {
    ask(job, body.map(|Json(snapshot)| Request::Snapshot { name: snapshot.name })).await
}

async fn ask(job: JobApi, request: Result<Request, JsonRejection>) -> Response {
    let request = match request {
        Ok(request) => request,
        Err(rejection) => return refusal(rejection.status(), rejection.body_text()),
    };
    let (answer, answered) = oneshot::channel();
    if job.requests.send((request, answer)).await.is_err() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, ENDING.to_string());
    }
    match answered.await {
        Ok(Ok(())) => StatusCode::ACCEPTED.into_response(),
        Ok(Err(refused @ Refusal::Invalid(_))) => refusal(StatusCode::UNPROCESSABLE_ENTITY, refused.to_string()),
        Ok(Err(refused @ Refusal::Conflict(_))) => refusal(StatusCode::CONFLICT, refused.to_string()),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, ENDING.to_string()),
    }
}

const ENDING: &str = "the coordinator is ending; ask again in a moment";

fn refusal(status: StatusCode, error: String) -> Response {
    (status, Json(ErrorBody { error })).into_response()
}
