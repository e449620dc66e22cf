"""Tidemill and Apache Flink side by side: the page-views jobs on one machine, in one run, on the same topic.

Prints a table, and one JSON object as its last line. See README.md for the rules of the comparison.
"""

import os
import sys
from string import Template

import kafka as kafka_topics
import report
from flink import Flink
from kafka import Kafka
from tidemill import Tidemill

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = ("generator", "kafka_filter", "kafka_window")
# Flink alone, with other ways of making rows: shown, not compared with.
FLINK_VARIANTS = ("generator_pooled", "datagen")
# name -> processes, threads in each
SHAPES = {"p1": (1, 1), "p2": (1, 2), "2proc": (2, 1)}
# A Flink cluster per number of processes; its heap is the same in all.
TOTAL_HEAP_MB = 4096
KAFKA_PORT = 29092
SEED = 1


class Settings:
    """What may be set from outside, see README.md."""

    def __init__(self, env):
        self.events = int(env.get("EVENTS", 5_000_000))
        self.generator_events = int(env.get("GENERATOR_EVENTS", 8 * self.events))
        self.warmup = int(env.get("WARMUP", 2_000_000))
        self.runs = int(env.get("RUNS", 2))
        self.cases = env.get("CASES", ",".join(CASES)).split(",")
        self.shapes = env.get("SHAPES", ",".join(SHAPES)).split(",")
        self.engines = env.get("ENGINES", "flink,tidemill").split(",")
        self.checkpoint_interval_s = int(env.get("CHECKPOINT_INTERVAL_S", 10))
        self.guarantee = env.get("GUARANTEE", "exactly-once")
        self.folder = env["BENCH_DIR"]
        self.tools = env["BENCH_TOOLS"]
        self.jar = env["PAGE_VIEWS_JAR"]

    def events_of(self, case):
        return self.events if case.startswith("kafka") else self.generator_events

    def warmup_of(self, case):
        """A generator job is over so soon that only one of the same length warms its JVM."""
        return min(self.warmup, self.events) if case.startswith("kafka") else self.generator_events


class Bench:
    def __init__(self, settings, kafka):
        self.settings, self.kafka = settings, kafka
        topic = f"page-views-{settings.events}-{SEED}"
        self.topic = kafka.load(topic, kafka_topics.PARTITIONS, "bench-load", settings.events, SEED)
        self.results = report.Results()

    def sql(self, case, engine, events, output):
        """The script of a case: one text for both engines, where there is one."""
        path = f"{HERE}/jobs/{case}.sql"
        if not os.path.exists(path):
            path = f"{HERE}/jobs/{case}.{engine}.sql"
        bounded = kafka_topics.up_to_end() if events == self.settings.events else kafka_topics.up_to(events)
        with open(path) as file:
            return Template(file.read()).substitute(
                broker=self.kafka.broker, topic=self.topic, output=output, bounded=bounded, events=events,
                guarantee=self.settings.guarantee,
            )

    def measure(self, engine, case, shape, run, execute):
        """One measured run; the window job's output is read back."""
        output = f"counts-{engine}-{shape}-{run}"
        if case == "kafka_window":
            self.kafka.output_topic(output)
        events = self.settings.events_of(case)
        outcome = execute(self.sql(case, engine, events, output), events)
        self.results.add(case, shape, engine, outcome)
        if case == "kafka_window":
            self.results.add_counts(shape, engine, self.kafka.counts(output))
            self.kafka.script("delete", output)

    def run_cluster(self, processes):
        shapes = [shape for shape in self.settings.shapes if SHAPES[shape][0] == processes]
        if not shapes:
            return
        if "flink" not in self.settings.engines:
            return self.run_cases(shapes, None)
        folder = f"{self.settings.folder}/flink"
        slots = max(SHAPES[shape][1] for shape in shapes)
        heap = TOTAL_HEAP_MB // processes
        with Flink(folder, self.settings.jar, processes, slots, heap, self.settings.checkpoint_interval_s) as flink:
            self.run_cases(shapes, flink)

    def run_cases(self, shapes, flink):
        for case in self.settings.cases:
            if flink:
                self.warm_up(flink, case, shapes[-1])
            for shape in shapes:
                for run in range(self.settings.runs):
                    self.run_both(flink, case, shape, run)
        if flink and "p1" in shapes and "generator" in self.settings.cases:
            for case in FLINK_VARIANTS:
                self.warm_up(flink, case, "p1")
                self.run_flink(flink, case, "p1", 0)

    def run_both(self, flink, case, shape, run):
        if flink:
            self.run_flink(flink, case, shape, run)
        if "tidemill" in self.settings.engines:
            processes, threads = SHAPES[shape]
            executable = os.path.join(self.settings.tools, "tidemill")
            tidemill = Tidemill(f"{self.settings.folder}/tidemill", executable, self.settings.checkpoint_interval_s)
            self.measure(
                "tidemill", case, shape, run,
                lambda sql, events: tidemill.run(sql, events, processes, threads, self.kafka.pid),
            )

    def run_flink(self, flink, case, shape, run):
        parallelism = SHAPES[shape][0] * SHAPES[shape][1]
        commits = case == "kafka_window" and self.settings.guarantee == "exactly-once"
        self.measure(
            "flink", case, shape, run,
            lambda sql, events: flink.run(sql, events, parallelism, commits, self.kafka.pid),
        )

    def warm_up(self, flink, case, shape):
        """An unmeasured run of the same job: a cold JVM costs up to twice as much."""
        output = "counts-warmup"
        self.kafka.output_topic(output)
        events = self.settings.warmup_of(case)
        parallelism = SHAPES[shape][0] * SHAPES[shape][1]
        flink.run(self.sql(case, "flink", events, output), events, parallelism, False, self.kafka.pid)
        self.kafka.script("delete", output)

    def measure_roof(self):
        for mode in ("client", "decode"):
            for _ in range(self.settings.runs):
                self.results.add_roof(mode, self.kafka.roof(self.topic, self.settings.events, mode))


def main():
    settings = Settings(os.environ)
    with Kafka(f"{settings.folder}/kafka", settings.tools, KAFKA_PORT) as kafka:
        bench = Bench(settings, kafka)
        bench.measure_roof()
        for processes in (1, 2):
            bench.run_cluster(processes)
    print(report.table(bench.results))
    print(report.json_line(bench.results))
    return 0 if bench.results.equal() is not False else 1


if __name__ == "__main__":
    sys.exit(main())
