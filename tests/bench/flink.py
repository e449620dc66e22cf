"""Runs a SQL script on a real Flink cluster (SQL Gateway and REST) and measures its TaskManagers and JobManager.

The gateway is not counted: it compiles the script and has no part in running it.
"""

import glob
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from measure import Watch, read_cpu_s, read_jit_s, reset_peak_rss
from outcome import Outcome

RIVAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rival")
TERMINAL = ("FINISHED", "FAILED", "CANCELED")


class Flink:
    """One cluster: `task_managers` processes with `slots` threads each."""

    def __init__(self, folder, jar, task_managers, slots, heap_mb, checkpoint_interval_s):
        self.folder = folder
        self.rest, self.gateway = "http://127.0.0.1:28081", "http://127.0.0.1:28083"
        self.env = os.environ | {
            "FLINK_DIR": folder, "EXTRA_JARS": jar, "TASK_MANAGERS": str(task_managers), "SLOTS": str(slots),
            "TM_HEAP_MB": str(heap_mb), "REST_PORT": "28081", "RPC_PORT": "26123", "GATEWAY_PORT": "28083",
            "CHECKPOINT_INTERVAL": f"{checkpoint_interval_s}s",
        }

    def __enter__(self):
        self.script("start")
        return self

    def __exit__(self, *_):
        self.script("stop")

    def script(self, command):
        subprocess.run([os.path.join(RIVAL, "flink_up.sh"), command], env=self.env, check=True)

    def pids(self, role):
        lines = []
        for path in glob.glob(f"{self.folder}/run/flink-*-{role}.pid"):
            with open(path) as file:
                lines += file.read().split()
        return [int(line) for line in lines]

    def run(self, sql, events, parallelism, commits, broker_pid, settings=None, timeout_s=900):
        """Runs the script's last statement to its end. `commits`: the sink commits with a last checkpoint; `settings`: of
        the session, besides those that every run has."""
        workers, managers = self.pids("taskexecutor"), self.pids("standalonesession")
        engine = workers + managers
        for pid in workers:  # what earlier jobs left behind is not this job's
            subprocess.run(["jcmd", str(pid), "GC.run"], stdout=subprocess.DEVNULL, check=False)
        for pid in engine:
            reset_peak_rss(pid)
        jit_before, broker_before = sum(map(read_jit_s, engine)), read_cpu_s(broker_pid)
        watch = Watch(lambda: engine)
        try:
            job = self.await_job(self.submit(sql, parallelism, commits, settings or {}), timeout_s)
        finally:
            cost = watch.finish()
        jit_s = sum(map(read_jit_s, engine)) - jit_before
        started, finished = job["timestamps"]["RUNNING"] / 1000, job["timestamps"]["FINISHED"] / 1000
        return Outcome(
            events=events,
            seconds=max(min(finished, cost.active_until) - started, 0.001),
            cpu_s=cost.cpu_s - jit_s,
            jit_s=jit_s,
            broker_cpu_s=read_cpu_s(broker_pid) - broker_before,
            peak_rss_mb=cost.peak_rss_mb,
        )

    def submit(self, sql, parallelism, commits, settings):
        settings = {
            "parallelism.default": str(parallelism),
            "execution.runtime-mode": "streaming",
            # Without a commit at the end the last checkpoint is only a wait of up to one interval.
            "execution.checkpointing.checkpoints-after-tasks-finish": str(commits).lower(),
        } | settings
        session = call(f"{self.gateway}/v1/sessions", {"properties": settings})["sessionHandle"]
        try:
            result = None
            for statement in statements(sql):
                result = self.execute(session, statement)
        finally:
            call(f"{self.gateway}/v1/sessions/{session}", method="DELETE")
        return result["results"]["data"][0]["fields"][0]

    def execute(self, session, statement):
        base = f"{self.gateway}/v1/sessions/{session}"
        operation = call(f"{base}/statements", {"statement": statement})["operationHandle"]
        while call(f"{base}/operations/{operation}/status")["status"] in ("RUNNING", "PENDING", "INITIALIZED"):
            time.sleep(0.05)
        return call(f"{base}/operations/{operation}/result/0")

    def printed(self):
        """All lines that print sinks have written since the cluster's start."""
        lines = []
        for path in sorted(glob.glob(f"{self.folder}/log/flink-*-taskexecutor-*.out")):
            with open(path, errors="replace") as file:
                lines += file.read().splitlines()
        return lines

    def await_job(self, job_id, timeout_s):
        deadline = time.time() + timeout_s
        while True:
            job = call(f"{self.rest}/jobs/{job_id}")
            if job["state"] == "FINISHED":
                return job
            if job["state"] in TERMINAL:
                cause = call(f"{self.rest}/jobs/{job_id}/exceptions")
                raise RuntimeError(f"Flink job {job_id} is {job['state']}: {json.dumps(cause)[:3000]}")
            if time.time() > deadline:
                call(f"{self.rest}/jobs/{job_id}", method="PATCH")
                raise RuntimeError(f"Flink job {job_id} did not finish within {timeout_s} s")
            time.sleep(0.2)


def statements(sql):
    """A script's statements: a semicolon ends one at the end of a line only, for it may stand inside a literal."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    parts = ("\n".join(lines) + "\n").split(";\n")
    return [part.strip() for part in parts if part.strip()]


def call(url, body=None, method=None):
    request = urllib.request.Request(
        url,
        method=method or ("POST" if body is not None else "GET"),
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise RuntimeError(f"{url}: {error.code} {text[-3000:]}") from None
