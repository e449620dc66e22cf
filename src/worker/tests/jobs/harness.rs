//! Worker processes of one job on this machine, and what they say.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use tidemill_model::job::{ApplicationId, CheckpointSpec, JobSpec, RestartSpec, RestoreSpec, StorageSpec};
use tidemill_model::status::{JobPhase, JobStatus, StopMode, StopRequest};

/// Long, for a loaded machine; what is waited for comes within a second or two on an idle one.
const PATIENCE: Duration = Duration::from_secs(60);
pub const SPLITS: u64 = 6;

pub struct Job {
    pub folder: tempfile::TempDir,
    pub spec: JobSpec,
    pub api: String,
    coordinator: u16,
    workers: BTreeMap<u32, Child>,
    client: reqwest::Client,
}

impl Drop for Job {
    fn drop(&mut self) {
        let numbers: Vec<u32> = self.workers.keys().copied().collect();
        numbers.into_iter().for_each(|worker| self.kill_worker(worker));
    }
}

impl Job {
    /// Starts a job of so many workers whose plan also says `extra`.
    pub fn start(workers: u32, extra: serde_json::Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Self::prepare(folder, spec_in(Path::new("/"), workers, &extra));
        job.spec = spec_in(job.folder.path(), workers, &extra);
        job.start_workers(workers);
        job
    }

    fn prepare(folder: tempfile::TempDir, spec: JobSpec) -> Self {
        let api = free_port();
        Self {
            folder,
            spec,
            api: format!("127.0.0.1:{api}"),
            coordinator: free_port(),
            workers: BTreeMap::new(),
            client: reqwest::Client::new(),
        }
    }

    /// Another set of workers on the same storage, as a replaced pod's twin would be.
    pub fn twin(&self) -> Self {
        let mut twin = Self::prepare(tempfile::tempdir().unwrap(), self.spec.clone());
        twin.start_workers(self.spec.workers);
        twin
    }

    pub fn start_workers(&mut self, workers: u32) {
        (0..workers).for_each(|worker| self.start_worker(worker));
    }

    pub fn start_worker(&mut self, worker: u32) {
        // one each: another worker may be reading its own at this moment
        let file = self.folder.path().join(format!("job-{worker}.json"));
        std::fs::write(&file, serde_json::to_vec(&self.spec).unwrap()).unwrap();
        let api = if worker == 0 { self.api.clone() } else { "127.0.0.1:0".to_string() };
        let log = std::env::var("TIDEMILL_LOG").unwrap_or_else(|_| "warn".to_string());
        let child = Command::new(env!("CARGO_BIN_EXE_tidemill-worker"))
            .arg("supervise")
            .env("TIDEMILL_JOB_FILE", file)
            .env("TIDEMILL_WORKER", format!("pod-{worker}"))
            .env("TIDEMILL_COORDINATOR", format!("localhost:{}", self.coordinator))
            .env("TIDEMILL_HOST", "127.0.0.1")
            .env("TIDEMILL_API_LISTEN", api)
            .env("TIDEMILL_COORDINATOR_LISTEN", format!("127.0.0.1:{}", self.coordinator))
            .env("TIDEMILL_LOG", log)
            .env("TIDEMILL_ENGINE", env!("CARGO_BIN_EXE_tidemill-fake-engine"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.workers.insert(worker, child);
    }

    /// SIGKILL, as when a node is lost.
    pub fn kill_worker(&mut self, worker: u32) {
        if let Some(mut child) = self.workers.remove(&worker) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits for the worker's process to end by itself; true if it said that something was wrong.
    pub async fn wait_for_exit(&mut self, worker: u32) -> bool {
        let mut child = self.workers.remove(&worker).unwrap();
        let status = eventually("the process ends", async || child.try_wait().unwrap()).await;
        !status.success()
    }

    pub fn engine_pid(&self, incarnation: u64, worker: u32) -> i32 {
        let file = self.output().join(format!("pid-{incarnation}-{worker}"));
        std::fs::read_to_string(file).unwrap().parse().unwrap()
    }

    pub fn output(&self) -> PathBuf {
        self.spec.plan["output"].as_str().unwrap().into()
    }

    pub async fn status(&self) -> Option<JobStatus> {
        self.client.get(self.url("/v1/job")).send().await.ok()?.json().await.ok()
    }

    pub async fn until(&self, what: &str, is: impl Fn(&JobStatus) -> bool) -> JobStatus {
        eventually(what, async || self.status().await.filter(|status| is(status))).await
    }

    pub async fn until_running(&self, incarnation: u64) -> JobStatus {
        self.until(&format!("incarnation {incarnation} runs"), |status| {
            status.phase == JobPhase::Running && status.incarnation.0 == incarnation
        })
        .await
    }

    /// Waits for `more` further checkpoints.
    pub async fn until_checkpoints(&self, more: u64) -> JobStatus {
        let before = self.status().await.map_or(0, |status| status.checkpoints_completed);
        self.until("checkpoints complete", |status| status.checkpoints_completed >= before + more).await
    }

    pub async fn change(&mut self, change: impl FnOnce(&mut JobSpec)) {
        change(&mut self.spec);
        let answer = self.client.put(self.url("/v1/job")).json(&self.spec).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
    }

    pub async fn ask_stop(&self, mode: StopMode) {
        let answer = self.client.post(self.url("/v1/job/stop")).json(&StopRequest { mode }).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }

    /// Stops with a snapshot and waits for it; the workers go, as their pods would.
    pub async fn stop(&mut self) -> JobStatus {
        self.ask_stop(StopMode::Snapshot).await;
        let status = self.until("the job stops", |status| matches!(status.phase, JobPhase::Stopped { .. })).await;
        let numbers: Vec<u32> = self.workers.keys().copied().collect();
        numbers.into_iter().for_each(|worker| self.kill_worker(worker));
        status
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn post(&self, path: &str, body: serde_json::Value) -> (u16, String) {
        let answer = self.client.post(self.url(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    /// How many records of each split are in the output. Panics if one is missing or there twice.
    pub fn check_output(&self) -> BTreeMap<u64, u64> {
        let mut chunks: BTreeMap<u64, Vec<Chunk>> = BTreeMap::new();
        for entry in std::fs::read_dir(self.output()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("out-") {
                let chunk: Chunk = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                chunks.entry(chunk.split).or_default().push(chunk);
            }
        }
        chunks.into_iter().map(|(split, chunks)| (split, check_chunks(split, chunks))).collect()
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Chunk {
    split: u64,
    from: u64,
    to: u64,
}

fn check_chunks(split: u64, mut chunks: Vec<Chunk>) -> u64 {
    chunks.sort_by_key(|chunk| (chunk.from, chunk.to));
    chunks.iter().fold(0, |next, chunk| {
        assert_eq!(chunk.from, next, "split {split} has a gap or a repetition: {chunks:?}");
        chunk.to
    })
}

fn spec_in(folder: &Path, workers: u32, extra: &serde_json::Value) -> JobSpec {
    let mut plan = json!({ "output": folder.join("output"), "splits": SPLITS, "rate": 7 });
    for (name, value) in extra.as_object().into_iter().flatten() {
        plan[name] = value.clone();
    }
    JobSpec {
        application: ApplicationId { namespace: "shop".into(), name: "numbers".into(), uid: "u1".into() },
        version: "v1".into(),
        workers,
        threads_per_worker: 1,
        plan,
        modules: Default::default(),
        storage: StorageSpec { uri: format!("file://{}/storage", folder.display()), options: Default::default() },
        checkpoint: CheckpointSpec { interval_ms: 200, min_pause_ms: 50, timeout_ms: 30_000, keep: 2 },
        restore: RestoreSpec::default(),
        restarts: RestartSpec { initial_delay_ms: 50, max_delay_ms: 500, reset_after_ms: 60_000 },
    }
}

/// Nobody listens on it at the moment of asking.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Ends a process that this test has found out the id of.
pub fn kill_process(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

pub fn is_alive(pid: i32) -> bool {
    // a zombie is dead; its state is the letter after the name in parentheses
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
