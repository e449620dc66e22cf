//! Which of several operator processes acts: the holder of a Lease. This spares work and noise; correctness does not
//! rest on it, for every start of a job is fenced by its incarnation. Who cannot renew ends at once.

mod lease;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use lease::{Holder, Sighting, Verdict, evaluate_lease};

/// The Lease's name.
pub const LEASE: &str = "tidemill-operator";

/// Who holds the Lease without renewing it for so long has lost it.
const DURATION: Duration = Duration::from_secs(15);
/// The holder ends itself if it could not renew for so long: before anybody else may take over.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// An elector among processes of the same namespace.
pub struct Elector {
    api: Api<Lease>,
    me: String,
    sighting: Option<Sighting>,
}

impl Elector {
    pub fn new(client: Client, namespace: &str, me: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), me: me.into(), sighting: None }
    }

    /// Returns once this process holds the Lease.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "failed to look at the Lease"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Renews the Lease; returns when it is lost.
    pub async fn hold(&mut self) {
        let mut renewed = Instant::now();
        while renewed.elapsed() < RENEW_DEADLINE {
            tokio::time::sleep(RETRY).await;
            let left = RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(%error, "failed to renew the Lease"),
                Err(_) => return,
            }
        }
    }

    /// Gives the Lease up, so that a successor need not wait.
    pub async fn release(&self) {
        let Ok(Some(mut lease)) = self.api.get_opt(LEASE).await else { return };
        let mine = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.me);
        if let (true, Some(spec)) = (mine, &mut lease.spec) {
            spec.holder_identity = Some(String::new());
            // At best: without it, the successor waits for the Lease to run out.
            let _ = self.api.replace(LEASE, &PostParams::default(), &lease).await;
        }
    }

    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let lease = self.api.get_opt(LEASE).await?;
        let holder = lease.as_ref().map(holder_of);
        self.sighting = Some(Sighting::of(self.sighting.take(), holder, Instant::now()));
        let verdict = evaluate_lease(self.sighting.as_ref(), &self.me, Instant::now());
        let written = match (verdict, lease) {
            (Verdict::Wait, _) => return Ok(false),
            (Verdict::Take, None) => {
                let metadata = ObjectMeta { name: Some(LEASE.into()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.spec(0, None)) };
                self.api.create(&PostParams::default(), &lease).await
            }
            (Verdict::Take, Some(mut lease)) => {
                let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
                lease.spec = Some(self.spec(transitions + 1, None));
                self.api.replace(LEASE, &PostParams::default(), &lease).await
            }
            (Verdict::Renew, Some(mut lease)) => {
                let before = lease.spec.unwrap_or_default();
                lease.spec = Some(self.spec(before.lease_transitions.unwrap_or(0), before.acquire_time));
                self.api.replace(LEASE, &PostParams::default(), &lease).await
            }
            (Verdict::Renew, None) => return Ok(false),
        };
        match written {
            Ok(lease) => {
                self.sighting = Some(Sighting::of(None, Some(holder_of(&lease)), Instant::now()));
                Ok(true)
            }
            // Somebody was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn spec(&self, transitions: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(DURATION.as_secs() as i32),
            acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

fn holder_of(lease: &Lease) -> Holder {
    let spec = lease.spec.clone().unwrap_or_default();
    Holder {
        identity: spec.holder_identity.unwrap_or_default(),
        renewed: spec.renew_time.map(|time| time.0.as_microsecond()).unwrap_or_default(),
        duration: spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(DURATION, Duration::from_secs),
    }
}
