//! The coordinator's side of the control connections: who is allowed in, what they say, and that they are still there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tidemill_model::control::{FromWorker, HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, ToWorker};
use tokio::io::BufReader;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::state::{ConnectionId, Event};
use crate::wire::{self, Lines, WireError};

/// What a connection tells the shell.
pub(super) enum Notice {
    /// A worker was let in; messages for it go into `outbox`. Dropping that closes the connection.
    Opened {
        connection: ConnectionId,
        outbox: mpsc::UnboundedSender<ToWorker>,
    },
    Event(Event),
}

/// Lets workers in for ever.
pub(super) async fn accept(listener: TcpListener, application_uid: String, notices: mpsc::UnboundedSender<Notice>) {
    let mut connection = 0;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                connection += 1;
                tokio::spawn(serve(stream, from, connection, application_uid.clone(), notices.clone()));
            }
            Err(error) => {
                // such as too many open files: a moment later it may work
                warn!(%error, "failed to accept a worker's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    connection: ConnectionId,
    application_uid: String,
    notices: mpsc::UnboundedSender<Notice>,
) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let mut lines = Lines::new(BufReader::new(reader));
    let (worker, address) = match welcome(&mut lines, from, &application_uid).await {
        Ok(welcomed) => welcomed,
        Err(reason) => {
            warn!(%from, reason, "connection refused");
            return;
        }
    };
    info!(worker, %address, connection, "worker connected");
    let (outbox, messages) = mpsc::unbounded_channel();
    let _ = notices.send(Notice::Opened { connection, outbox });
    let _ = notices.send(Notice::Event(Event::Joined { worker, connection, address }));
    let detail = tokio::select! {
        detail = receive(&mut lines, connection, &notices) => detail,
        detail = send(writer, messages) => detail,
    };
    info!(worker, connection, detail, "worker disconnected");
    let _ = notices.send(Notice::Event(Event::Left { connection, detail }));
}

/// Reads the greeting: which worker is it, and where do the others reach it?
async fn welcome(
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    from: SocketAddr,
    application_uid: &str,
) -> Result<(u32, IpAddr), String> {
    let patience = Duration::from_millis(HEARTBEAT_TIMEOUT_MS);
    let greeting = timeout(patience, lines.next::<FromWorker>()).await;
    let greeting = greeting.map_err(|_| "it did not say who it is".to_string())?.map_err(|error| error.to_string())?;
    let FromWorker::Hello { application_uid: theirs, worker, host } = greeting else {
        return Err("its first message was no greeting".to_string());
    };
    if theirs != application_uid {
        return Err(format!("it belongs to the application with uid `{theirs}`"));
    }
    Ok((worker, resolve(&host, from).await?))
}

async fn resolve(host: &str, from: SocketAddr) -> Result<IpAddr, String> {
    if host.is_empty() {
        return Ok(from.ip());
    }
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let found = tokio::net::lookup_host((host, 0))
        .await
        .map_err(|error| format!("failed to resolve its host `{host}`: {error}"))?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.first().copied().ok_or_else(|| format!("its host `{host}` has no address"))
}

async fn receive(
    lines: &mut Lines<BufReader<OwnedReadHalf>>,
    connection: ConnectionId,
    notices: &mpsc::UnboundedSender<Notice>,
) -> String {
    loop {
        let event = match timeout(Duration::from_millis(HEARTBEAT_TIMEOUT_MS), lines.next()).await {
            Err(_) => return format!("nothing was heard for {} s", HEARTBEAT_TIMEOUT_MS / 1000),
            Ok(Err(error @ WireError::Closed)) => return error.to_string(),
            Ok(Err(error)) => return format!("{error:?}"),
            Ok(Ok(FromWorker::Heartbeat | FromWorker::Hello { .. })) => continue,
            Ok(Ok(FromWorker::Engine { incarnation, event })) => Event::Engine { connection, incarnation, event },
            Ok(Ok(FromWorker::Exited { incarnation, detail })) => Event::Exited { connection, incarnation, detail },
        };
        if notices.send(Notice::Event(event)).is_err() {
            return "the coordinator has ended".to_string();
        }
    }
}

async fn send(mut writer: OwnedWriteHalf, mut messages: mpsc::UnboundedReceiver<ToWorker>) -> String {
    let mut heartbeat = interval(Duration::from_millis(HEARTBEAT_MS));
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = messages.recv() => match message {
                Some(message) => message,
                None => return "the coordinator closed the connection".to_string(),
            },
            _ = heartbeat.tick() => ToWorker::Heartbeat,
        };
        let patience = Duration::from_millis(HEARTBEAT_TIMEOUT_MS);
        match timeout(patience, wire::write(&mut writer, &message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return format!("failed to write to the worker: {error}"),
            Err(_) => return "the worker reads nothing".to_string(),
        }
    }
}
