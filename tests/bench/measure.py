"""What processes cost, read from /proc: CPU time, the share of it that a JVM's compiler took, and peak memory.

Must not know the engines: both are measured by the same code.
"""

import os
import re
import threading
import time
from dataclasses import dataclass

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.1
# The engine counts as working while it takes a tenth of a core over this many samples.
ACTIVE_SAMPLES = 3
ACTIVE_SHARE = 0.1


def read_cpu_s(pid):
    """CPU seconds of a process so far, user and system; None when it is gone."""
    return _cpu_of(f"/proc/{pid}/stat")


def _cpu_of(stat_path):
    try:
        with open(stat_path) as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def read_jit_s(pid):
    """CPU seconds of a JVM's compiler threads, a one-off that depends on how long the JVM has lived."""
    total = 0.0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/comm") as file:
                name = file.read()
        except OSError:
            continue
        if name.startswith(("C1 Compiler", "C2 Compiler")):
            total += _cpu_of(f"/proc/{pid}/task/{thread}/stat") or 0.0
    return total


def read_peak_rss_mb(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            found = re.search(r"VmHWM:\s+(\d+)", file.read())
    except OSError:
        return None
    return int(found.group(1)) / 1024 if found else None


def reset_peak_rss(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def descendants(root):
    """A process and all processes below it that live now."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


@dataclass
class Cost:
    cpu_s: float
    peak_rss_mb: float
    # When the processes last took a noticeable share of a core, seconds since 1970.
    active_until: float


class Watch(threading.Thread):
    """Samples a changing set of processes until `finish`. Processes that are there at the start begin at zero."""

    def __init__(self, list_pids):
        super().__init__(daemon=True)
        self.list_pids = list_pids
        self.first, self.last, self.peak, self.seen_at = {}, {}, {}, {}
        self.samples = []
        self.done = threading.Event()
        for pid in list_pids():
            self.first[pid] = read_cpu_s(pid) or 0.0
        self.start()

    def run(self):
        while not self.done.wait(SAMPLE_S):
            self.sample()

    def sample(self):
        for pid in self.list_pids():
            self.seen_at.setdefault(pid, time.time())
            cpu, peak = read_cpu_s(pid), read_peak_rss_mb(pid)
            # A process that has ended but is not yet waited for has no memory any more.
            if cpu is not None:
                self.last[pid] = max(cpu, self.last.get(pid, 0.0))
            if peak is not None:
                self.peak[pid] = max(peak, self.peak.get(pid, 0.0))
        self.samples.append((time.time(), self.total_cpu_s()))

    def total_cpu_s(self):
        return sum(cpu - self.first.get(pid, 0.0) for pid, cpu in self.last.items())

    def finish(self):
        self.done.set()
        self.join()
        self.sample()
        return Cost(self.total_cpu_s(), sum(self.peak.values()), active_until(self.samples))


def active_until(samples):
    """The time of the last sample before which noticeable CPU time was spent."""
    for later in range(len(samples) - 1, ACTIVE_SAMPLES - 1, -1):
        (t0, c0), (t1, c1) = samples[later - ACTIVE_SAMPLES], samples[later]
        if c1 - c0 >= ACTIVE_SHARE * (t1 - t0):
            return t1
    return samples[-1][0]
