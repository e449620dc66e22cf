//! What is wrong with a client at the moment, told by librdkafka's threads and read by the engine's.
//!
//! librdkafka says when a broker is lost, but not when all is well again. So while there is trouble, a thread asks for
//! the topic's metadata until it is complete.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidemill_model::status::{Problem, ProblemKind};

/// Between two questions to a broker that is away.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub struct Trouble(Arc<Shared>);

struct Shared {
    table: String,
    kind: ProblemKind,
    servers: String,
    present: AtomicBool,
    probing: AtomicBool,
    message: Mutex<String>,
}

impl Trouble {
    pub fn new(table: &str, kind: ProblemKind, servers: &str) -> Self {
        Self(Arc::new(Shared {
            table: table.into(),
            kind,
            servers: servers.into(),
            present: AtomicBool::new(false),
            probing: AtomicBool::new(false),
            message: Mutex::default(),
        }))
    }

    pub fn raise(&self, message: String) {
        *self.0.message.lock().unwrap_or_else(PoisonError::into_inner) = message;
        self.0.present.store(true, Ordering::Release);
    }

    pub fn clear(&self) {
        if self.0.present.load(Ordering::Relaxed) {
            self.0.present.store(false, Ordering::Release);
        }
    }

    pub fn problem(&self) -> Option<Problem> {
        if !self.0.present.load(Ordering::Acquire) {
            return None;
        }
        let message = self.0.message.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(self.problem_of(message))
    }

    /// A problem of this client's table and direction.
    pub fn problem_of(&self, message: String) -> Problem {
        let remedy = format!("check that the brokers at `{}` run and can be reached from here", self.0.servers);
        Problem { kind: self.0.kind, object: self.0.table.clone(), message, remedy }
    }

    /// Starts asking until `well` is true, if there is trouble and nobody asks yet. `well` may block for a while; it
    /// holds the client, so a client that is dropped meanwhile goes away with the last question.
    pub fn probe(&self, well: impl Fn() -> bool + Send + 'static) {
        let shared = self.0.clone();
        if !shared.present.load(Ordering::Acquire) || shared.probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let trouble = self.clone();
        let body = move || {
            // Ours and the thread's own: with nobody else left there is nobody to tell.
            while Arc::strong_count(&trouble.0) > 2 && trouble.0.present.load(Ordering::Acquire) {
                if well() {
                    trouble.clear();
                    break;
                }
                std::thread::sleep(PROBE_PAUSE);
            }
            trouble.0.probing.store(false, Ordering::Release);
        };
        if std::thread::Builder::new().name("kafka-probe".into()).spawn(body).is_err() {
            shared.probing.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble() -> Trouble {
        Trouble::new("views", ProblemKind::SourceUnreachable, "b:9092")
    }

    #[test]
    fn trouble_is_told_until_it_is_cleared() {
        let trouble = trouble();
        assert_eq!(trouble.problem(), None);
        trouble.raise("all brokers are down".into());
        let problem = trouble.problem().unwrap();
        assert_eq!((problem.object.as_str(), problem.message.as_str()), ("views", "all brokers are down"));
        trouble.clear();
        assert_eq!(trouble.problem(), None);
    }

    #[test]
    fn a_probe_clears_the_trouble_once_the_broker_answers() {
        let trouble = trouble();
        let answers = Arc::new(AtomicBool::new(false));
        trouble.raise("gone".into());
        let seen = answers.clone();
        // The client's copy: the probe goes on only while somebody else holds one.
        let held = trouble.clone();
        trouble.probe(move || seen.load(Ordering::Acquire));
        std::thread::sleep(Duration::from_millis(50));
        assert!(held.problem().is_some());
        answers.store(true, Ordering::Release);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while held.problem().is_some() {
            assert!(std::time::Instant::now() < deadline, "the trouble stays");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
