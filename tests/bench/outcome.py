"""What one run of one engine came to."""

from dataclasses import dataclass


@dataclass
class Outcome:
    events: int
    seconds: float
    # Of all processes of the engine, without a JVM's compiler threads.
    cpu_s: float
    jit_s: float
    broker_cpu_s: float
    peak_rss_mb: float

    def per_million(self, seconds):
        return seconds / self.events * 1e6

    @property
    def events_per_s(self):
        return self.events / self.seconds

    @property
    def cpu_s_per_m(self):
        return self.per_million(self.cpu_s)
