"""Runs a SQL script as an Application by `tidemill run` and measures all of its processes: the command itself, the
supervisors and the engine children.
"""

import json
import os
import shutil
import subprocess
import textwrap
import threading

from measure import Watch, descendants, read_cpu_s
from outcome import Outcome

APPLICATION = """\
apiVersion: tidemill.dev/v1alpha1
kind: Application
metadata:
  name: bench
  namespace: default
spec:
  # Nexmark's q14 calls a function that is written in Java; ours in its place does the same.
  functions:
  - {{name: com.github.nexmark.flink.udf.CountChar, configMapKeyRef: {{name: text-functions, key: count_char.wasm}}}}
  code:
    sql: |
{sql}
  checkpoint:
    interval: {interval_s}s
"""

MODULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "functions", "modules.yaml")


class Tidemill:
    def __init__(self, folder, executable, checkpoint_interval_s):
        self.folder, self.executable, self.interval_s = folder, executable, checkpoint_interval_s

    def run(self, sql, events, workers, threads, broker_pid, reads=1, timeout_s=900):
        """Runs the script to its end. `reads`: how many times the plan may read its input at most."""
        command = self.prepare(sql, workers, threads)
        broker_before = read_cpu_s(broker_pid)
        with open(f"{self.folder}/output", "w+") as output, open(f"{self.folder}/log", "w+") as log:
            process = subprocess.Popen(command, stdout=output, stderr=log, env=os.environ | {"XDG_STATE_HOME": self.folder})
            watch = Watch(lambda: descendants(process.pid))
            usage = self.wait(process, timeout_s)
            cost = watch.finish()
            self.check(process, output, log, events * reads)
        # The engines are the last of 1 command, then a supervisor and an engine for each worker.
        started = sorted(watch.seen_at.values())[2 * workers]
        return Outcome(
            events=events,
            seconds=max(cost.active_until - started, 0.001),
            # What a process spends between the last sample and its end is known only to whom waited for it.
            cpu_s=max(cost.cpu_s, usage.ru_utime + usage.ru_stime),
            jit_s=0.0,
            broker_cpu_s=read_cpu_s(broker_pid) - broker_before,
            peak_rss_mb=cost.peak_rss_mb,
        )

    def printed(self):
        """The lines that print sinks wrote in the last run."""
        with open(f"{self.folder}/output", errors="replace") as file:
            return file.read().splitlines()

    def prepare(self, sql, workers, threads):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        path = f"{self.folder}/application.yaml"
        with open(path, "w") as file:
            file.write(APPLICATION.format(sql=textwrap.indent(sql, " " * 6), interval_s=self.interval_s))
        return [
            self.executable, "run", path, MODULES, "--workers", str(workers), "--threads", str(threads),
            "--storage", f"file://{self.folder}/storage", "--report", "json",
        ]

    @staticmethod
    def wait(process, timeout_s):
        """Waits for the process and returns what it and all it waited for have used."""
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    @staticmethod
    def check(process, output, log, most):
        """A run that failed, or did not read everything, has no figures."""
        for file in (output, log):
            file.seek(0)
        said = log.read()
        if process.returncode != 0 or "finished: all inputs have been read" not in said:
            raise RuntimeError(f"tidemill run ended with {process.returncode}: {said[-3000:]}")
        # The report counts up to the last status before the end, which may be a second old.
        records = json.loads(output.read().splitlines()[-1])["records"]
        if records > most:
            raise RuntimeError(f"tidemill run read {records} records of {most}: {said[-3000:]}")
