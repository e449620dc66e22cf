//! Probes and metrics over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::context::Context;

/// Serves until the process ends. The process is alive as long as it answers, and ready as long as it is alive: a
/// standby that waits for the Lease is as it should be.
pub async fn serve(listen: SocketAddr, context: Arc<Context>) -> std::io::Result<()> {
    let metrics = move || {
        let context = context.clone();
        async move { context.metrics.text() }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ok" }))
        .route("/metrics", get(metrics));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, router).await
}
