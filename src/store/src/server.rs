//! Accepts connections until told to stop. `GET /healthz` answers without keys.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Arguments;
use crate::api::{Api, ConditionalCreate};
use crate::folder::Folder;

/// How long requests that are under way may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

pub fn run(arguments: Arguments) -> io::Result<()> {
    let folder = Folder::open(&arguments.folder)?;
    for bucket in &arguments.bucket {
        folder.create_bucket(bucket)?;
    }
    let conditional_create = match arguments.without_conditional_create {
        true => ConditionalCreate::Refused,
        false => ConditionalCreate::Supported,
    };
    let mut builder = S3ServiceBuilder::new(Api::new(Arc::new(folder), conditional_create));
    builder.set_auth(SimpleAuth::from_single(arguments.access_key, arguments.secret_key));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments.listen, builder.build()))
}

async fn serve(address: std::net::SocketAddr, service: S3Service) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let connections = GracefulShutdown::new();
    let http = Builder::new(TokioExecutor::new());
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of file handles, most likely: closing connections will mend it.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        let answers = service_fn(move |request| answer(service.clone(), request));
        let connection = http.serve_connection(TokioIo::new(socket), answers).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    let _ = tokio::time::timeout(DRAIN, connections.shutdown()).await;
    Ok(())
}

async fn answer(service: S3Service, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::GET && request.uri().path() == "/healthz" {
        return Ok(Response::new(Body::from("ok\n".to_string())));
    }
    Ok(service.call(request.map(Body::from)).await.unwrap_or_else(|error| {
        tracing::error!(?error, "failed to answer");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}
