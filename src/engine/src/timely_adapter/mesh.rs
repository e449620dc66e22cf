//! Connects the engine children of all workers. Worker `i` dials every worker before it and is dialled by every worker
//! after it. Each connection begins with a handshake that names the application, the incarnation and the version of
//! the plan, so that a stray client, a peer of an older start or one with another plan is turned away and does no harm.

use std::hash::Hasher;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tidemill_model::Incarnation;
use tidemill_model::status::{Problem, ProblemKind};
use xxhash_rust::xxh3::Xxh3;

/// The first bytes of a connection: the protocol and its version.
const MAGIC: [u8; 8] = *b"tidemil1";
/// How long all workers together may take to connect.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one side may take to say who it is.
const GREETING: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(50);
const LENGTH: usize = 28;

/// What both ends must agree on, and who is speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// A digest of the application's uid, the version of its plan and the engine's release.
    pub job: u64,
    pub incarnation: Incarnation,
    pub worker: u32,
}

impl Handshake {
    pub fn new(application_uid: &str, version: &str, incarnation: Incarnation, worker: u32) -> Self {
        let mut digest = Xxh3::new();
        for part in [application_uid, version, env!("CARGO_PKG_VERSION")] {
            digest.write(part.as_bytes());
            digest.write(&[0]);
        }
        Self { job: digest.finish(), incarnation, worker }
    }

    fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.job.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.incarnation.0.to_le_bytes());
        bytes[24..].copy_from_slice(&self.worker.to_le_bytes());
        bytes
    }

    /// Who is speaking, if it is a worker of the same job and incarnation.
    fn peer(&self, bytes: &[u8; LENGTH]) -> Option<u32> {
        let mut expected = self.encode();
        expected[24..].copy_from_slice(&bytes[24..]);
        let worker = bytes[24..].try_into().ok().map(u32::from_le_bytes);
        if expected == *bytes { worker } else { None }
    }
}

/// Connections to all other workers, by worker. `peers` has every worker's address.
pub fn connect(
    listener: &TcpListener,
    peers: &[SocketAddr],
    own: Handshake,
) -> Result<Vec<Option<TcpStream>>, Problem> {
    let deadline = Instant::now() + PATIENCE;
    let mut sockets: Vec<Option<TcpStream>> = peers.iter().map(|_| None).collect();
    let own_place = own.worker as usize;
    for (worker, address) in peers.iter().enumerate().take(own_place) {
        sockets[worker] = Some(dial(*address, own, worker as u32, deadline)?);
    }
    listener.set_nonblocking(true).map_err(|error| lost("the data port", "failed to listen", &error))?;
    while let Some(missing) = (own_place + 1..peers.len()).find(|worker| sockets[*worker].is_none()) {
        if Instant::now() > deadline {
            let error = io::Error::from(io::ErrorKind::TimedOut);
            return Err(lost(&format!("worker {missing}"), "waited in vain for its connection", &error));
        }
        match listener.accept() {
            Ok((socket, _)) => {
                // A client that is no peer is dropped; it cannot hurt, and nobody needs to know.
                if let Ok(Some(worker)) = receive(socket.try_clone(), own)
                    && let Some(place @ None) = sockets.get_mut(worker as usize)
                {
                    *place = Some(socket);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY / 10),
            Err(error) => return Err(lost("the data port", "failed to accept a connection", &error)),
        }
    }
    for socket in sockets.iter().flatten() {
        prepare(socket).map_err(|error| lost("a worker's connection", "failed to set it up", &error))?;
    }
    Ok(sockets)
}

fn dial(address: SocketAddr, own: Handshake, worker: u32, deadline: Instant) -> Result<TcpStream, Problem> {
    loop {
        let error = match greet(address, own, worker) {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(lost(&format!("worker {worker} at {address}"), "failed to connect", &error));
        }
        std::thread::sleep(RETRY);
    }
}

/// The dialling side speaks first and expects the other's handshake in return.
fn greet(address: SocketAddr, own: Handshake, worker: u32) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect_timeout(&address, GREETING)?;
    socket.set_read_timeout(Some(GREETING))?;
    socket.write_all(&own.encode())?;
    let mut answer = [0; LENGTH];
    socket.read_exact(&mut answer)?;
    match own.peer(&answer) {
        Some(peer) if peer == worker => Ok(socket),
        Some(_) | None => Err(io::Error::other("another worker, or one of another start, answered")),
    }
}

fn receive(socket: io::Result<TcpStream>, own: Handshake) -> io::Result<Option<u32>> {
    let mut socket = socket?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(GREETING))?;
    let mut greeting = [0; LENGTH];
    socket.read_exact(&mut greeting)?;
    let peer = own.peer(&greeting);
    if peer.is_some() {
        socket.write_all(&own.encode())?;
    }
    Ok(peer)
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(None)?;
    socket.set_nodelay(true)
}

fn lost(object: &str, attempt: &str, error: &io::Error) -> Problem {
    Problem {
        kind: ProblemKind::WorkerLost,
        object: object.to_string(),
        message: format!("{attempt}: {error}"),
        remedy: "check that worker pods may reach each other on the network".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(incarnation: u64, worker: u32) -> Handshake {
        Handshake::new("uid", "v1", Incarnation(incarnation), worker)
    }

    fn listeners(count: usize) -> (Vec<TcpListener>, Vec<SocketAddr>) {
        let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        (listeners, addresses)
    }

    #[test]
    fn strays_and_older_starts_are_turned_away_and_the_mesh_still_forms() {
        let (listeners, peers) = listeners(3);
        let mut stray = TcpStream::connect(peers[0]).unwrap();
        stray.write_all(b"GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n").unwrap();
        assert!(greet_in_thread(peers[0], handshake(6, 1)), "an older start is not answered");
        let workers: Vec<_> = listeners
            .into_iter()
            .enumerate()
            .map(|(worker, listener)| {
                let peers = peers.clone();
                std::thread::spawn(move || connect(&listener, &peers, handshake(7, worker as u32)).unwrap())
            })
            .collect();
        for (worker, sockets) in workers.into_iter().map(|worker| worker.join().unwrap()).enumerate() {
            for (peer, socket) in sockets.iter().enumerate() {
                assert_eq!(socket.is_none(), peer == worker);
            }
        }
    }

    /// Sends a greeting without waiting for an answer, which must never come.
    fn greet_in_thread(address: SocketAddr, own: Handshake) -> bool {
        std::thread::spawn(move || assert!(greet(address, own, 0).is_err()));
        true
    }

    #[test]
    fn only_the_same_job_and_incarnation_are_peers() {
        let own = handshake(7, 0);
        assert_eq!(own.peer(&handshake(7, 2).encode()), Some(2));
        assert_eq!(own.peer(&handshake(6, 2).encode()), None);
        assert_eq!(own.peer(&Handshake::new("uid", "v2", Incarnation(7), 2).encode()), None);
        assert_eq!(own.peer(&[0; LENGTH]), None);
    }
}
