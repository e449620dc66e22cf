"""Runs a SQL script as an Application by `tidemill run` and measures all of its processes."""

import os
import shutil
import subprocess
import time

from measure import Watch, descendants, read_cpu_s
from outcome import Outcome

APPLICATION = """\
apiVersion: tidemill.dev/v1alpha1
kind: Application
metadata:
  name: bench
spec:
  runtimeEnvironment: TIDEMILL-1_0
  state: Running
  code:
    sql: |
{sql}
  checkpoint:
    interval: {interval}s
"""


class Tidemill:
    def __init__(self, folder, checkpoint_interval_s, broker_pid):
        self.folder, self.interval, self.broker_pid = folder, checkpoint_interval_s, broker_pid

    def run(self, sql, events, processes, threads):
        raise NotImplementedError
