//! Carries out what [`Coordinator::step`] decides: passes events in, sends messages, orders storage work, publishes
//! the status. It takes no decisions.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidemill_model::control::ToWorker;
use tidemill_model::job::JobSpec;
use tidemill_model::status::JobStatus;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::connections::{self, Notice};
use super::keeper;
use super::request::{Refusal, Request};
use super::state::{Action, ConnectionId, Coordinator, Event};
use super::status::advance;

/// How often the coordinator looks at the clock. Finer than any time that it keeps.
const TICK: Duration = Duration::from_millis(50);

/// A request and where its admission is answered.
pub type Asked = (Request, oneshot::Sender<Result<(), Refusal>>);

/// Runs the coordinator; returns why the process has to end.
pub async fn run(
    spec: JobSpec,
    listener: TcpListener,
    mut requests: mpsc::Receiver<Asked>,
    statuses: watch::Sender<JobStatus>,
    claimant: String,
) -> String {
    let clock = Clock::start();
    let (notices, mut noticed) = mpsc::unbounded_channel();
    let (storage_events, mut storage_replied) = mpsc::unbounded_channel();
    let (orders, ordered) = mpsc::unbounded_channel();
    let accepting = tokio::spawn(connections::accept(listener, spec.application.uid.clone(), notices));
    let keeping = tokio::spawn(keeper::run(ordered, storage_events, claimant));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shell = Shell { outboxes: HashMap::new(), orders, statuses };
    let mut coordinator = Coordinator::new(spec, clock.now_ms());
    loop {
        let event = tokio::select! {
            Some(notice) = noticed.recv() => match notice {
                Notice::Opened { connection, outbox } => {
                    shell.outboxes.insert(connection, outbox);
                    continue;
                }
                Notice::Event(event) => event,
            },
            Some(event) = storage_replied.recv() => event,
            Some((request, answer)) = requests.recv() => {
                let admitted = coordinator.admit(&request);
                let event = admitted.is_ok().then_some(Event::Request(request));
                // the asker may have gone; what was admitted happens all the same
                let _ = answer.send(admitted);
                event.unwrap_or(Event::Tick)
            }
            _ = ticks.tick() => Event::Tick,
        };
        if let Event::Left { connection, .. } = &event {
            shell.outboxes.remove(connection);
        }
        let now = clock.now_ms();
        let (next, actions) = coordinator.step(event, now);
        coordinator = next;
        shell.publish(coordinator.status(now));
        if let Some(reason) = shell.perform(actions) {
            accepting.abort();
            keeping.abort();
            return reason;
        }
    }
}

struct Shell {
    outboxes: HashMap<ConnectionId, mpsc::UnboundedSender<ToWorker>>,
    orders: mpsc::UnboundedSender<keeper::Order>,
    statuses: watch::Sender<JobStatus>,
}

impl Shell {
    /// Carries actions out; says why to exit, if so.
    fn perform(&mut self, actions: Vec<Action>) -> Option<String> {
        let mut exit = None;
        for action in actions {
            match action {
                Action::Send { connection, message } => {
                    if let Some(outbox) = self.outboxes.get(&connection) {
                        // a closed connection reports itself
                        let _ = outbox.send(message);
                    }
                }
                Action::Close { connection } => {
                    self.outboxes.remove(&connection);
                }
                Action::Storage { job, request } => {
                    if self.orders.send((job, request)).is_err() {
                        exit = Some("the storage task has ended".to_string());
                    }
                }
                Action::Exit { reason } => exit = Some(reason),
            }
        }
        exit
    }

    fn publish(&mut self, status: JobStatus) {
        let last = self.statuses.borrow().clone();
        let next = advance(&last, status);
        if next == last {
            return;
        }
        if next.phase != last.phase {
            info!(phase = ?next.phase, incarnation = next.incarnation.0, workers = next.workers, "phase");
        }
        for problem in next.problems.iter().filter(|problem| !last.problems.contains(problem)) {
            warn!(%problem, "problem");
        }
        self.statuses.send_replace(next);
    }
}

/// Wall-clock milliseconds that never run backwards.
struct Clock {
    started: Instant,
    started_ms: u64,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), started_ms: wall_ms() }
    }

    fn now_ms(&self) -> u64 {
        self.started_ms + self.started.elapsed().as_millis() as u64
    }
}

/// A first status. Its revision is the time, so that revisions grow over restarts of the coordinator too.
pub fn first_status() -> JobStatus {
    JobStatus { revision: wall_ms(), ..JobStatus::default() }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
