"""The Nexmark queries on Tidemill and Apache Flink, on one machine, in one run, on the same events.

Prints a table, and one JSON object as its last line. See README.md for the rules of the comparison.
"""

import json
import math
import os
import sys

import changelog
import nexmark_texts
import recompute
import report
from flink import Flink
from kafka import Kafka
from report import log
from tidemill import Tidemill

QUERIES = [f"q{number}" for number in range(24)]
CEP = [f"cep-q{number}" for number in range(4)]
REFUSED_BY_FLINK = {"q6"}
# Not compared with Flink's results but computed from the events: what Flink refuses, and windows of the machine's clock.
RECOMPUTED = {"q6", "q12"}
KAFKA_PORT = int(os.environ.get("KAFKA_PORT", 29092))
HEAP_MB = 8192
# A query may read its input several times where an engine does not share the read.
MOST_READS = 4
# What the benchmark recommends for Flink.
TUNED = {
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "2 s",
    "table.exec.mini-batch.size": "50000",
    "table.optimizer.distinct-agg.split.enabled": "true",
    "table.local-time-zone": "UTC",
}


class Settings:
    """What may be set from outside, see README.md."""

    def __init__(self, env):
        self.run = env.get("RUN", ",".join(QUERIES + CEP)).split(",")
        self.events = int(env.get("EVENTS", 10_000_000))
        self.seed = int(env.get("SEED", 1))
        self.tracks = [track for track in env.get("TRACK", "a,b").lower().split(",") if track != "none"]
        self.repeats = int(env.get("REPEATS", 2))
        self.warmup = int(env.get("WARMUP", min(2_000_000, self.events)))
        self.equal_events = int(env.get("EQUAL_EVENTS", min(1_000_000, self.events)))
        self.rate = int(env.get("EVENT_RATE", 100_000))
        self.parallelism = int(env.get("PARALLELISM", 2))
        self.backends = env.get("BACKENDS", "hashmap,rocksdb").split(",")
        self.engines = env.get("ENGINES", "flink,tidemill").split(",")
        self.timeout_s = int(env.get("TIMEOUT_S", 1800))
        self.checkpoint_interval_s = int(env.get("CHECKPOINT_INTERVAL_S", 180))
        self.jar = env.get("NEXMARK_JAR", "")
        self.lookup_jar = env.get("CSV_LOOKUP_JAR", "")
        self.tools = env["BENCH_TOOLS"]
        self.folder = f"{env['BENCH_DIR']}/nexmark"
        self.kafka_folder = f"{env['BENCH_DIR']}/kafka"
        self.published = nexmark_texts.published_sets(env, self.folder)

    def texts(self):
        if self.published:
            return nexmark_texts.PublishedTexts(self.folder, self.published)
        return nexmark_texts.OwnTexts(self.folder)

    def missing_for_track_a(self):
        missing = [] if self.published else ["the texts (NEXMARK_GIT, a git directory, or QUERIES, a folder)"]
        if "flink" in self.engines and not self.jar:
            missing.append("Flink's source (NEXMARK_JAR, a jar with the table connector `nexmark`)")
        return missing


class Nexmark:
    def __init__(self, settings, kafka, flink):
        self.settings, self.kafka, self.flink = settings, kafka, flink
        self.texts = settings.texts()
        executable = os.path.join(settings.tools, "tidemill")
        self.tidemill = Tidemill(f"{settings.folder}/tidemill", executable, settings.checkpoint_interval_s)
        self.results = report.Results()
        self.equal, self.failures = {}, {}
        self.side_input = f"{settings.folder}/side_input.csv"
        with open(self.side_input, "w") as file:
            file.writelines(f"{key},{key}v\n" for key in range(10_000))

    def topic(self, events, partitions):
        """The events as JSON, in the topics that the texts read; the name without the kind."""
        name = f"nexmark-{events}-{self.settings.seed}-{self.settings.rate}-{partitions}"
        for kind in self.texts.kinds:
            self.kafka.load(f"{name}-{kind}", partitions, "bench-load-nexmark", kind, events, self.settings.seed, self.settings.rate)
        return name

    def script(self, query, engine, track, events, topic="", printed=False):
        values = {
            "events": events, "seed": self.settings.seed, "rate": self.settings.rate, "every_column": "true",
            "topic": topic, "broker": self.kafka.broker, "side_input": self.side_input,
        }
        return self.texts.script(query, engine, "kafka" if track == "b" else "generator", values, printed)

    def run_flink(self, sql, events, parallelism, backend):
        settings = TUNED | {"state.backend.type": backend}
        return self.flink.run(sql, events, parallelism, False, self.kafka.pid, settings, self.settings.timeout_s)

    def run_tidemill(self, sql, events, threads):
        return self.tidemill.run(sql, events, 1, threads, self.kafka.pid, MOST_READS, self.settings.timeout_s)

    def attempt(self, query, track, engine, act):
        """What `act` returns, or None with the failure noted: one query must not end the whole run."""
        try:
            return act()
        except RuntimeError as error:
            self.failures[query, track, engine] = cause(str(error))
            log(f"{query} track {track} {engine}: {self.failures[query, track, engine]}")
            return None

    def measure(self, query, track):
        events = self.settings.events
        partitions = self.settings.parallelism
        topic = self.topic(events, partitions) if track == "b" else ""
        warmup = self.topic(self.settings.warmup, partitions) if track == "b" else ""
        if self.flink and query not in REFUSED_BY_FLINK:
            sql = self.script(query, "flink", track, events, topic)
            warm = self.script(query, "flink", track, self.settings.warmup, warmup)
            runs = [self.attempt(query, track, "flink", lambda b=b: self.flink_runs(warm, sql, b)) for b in self.settings.backends]
            self.add(query, track, "flink", best_backend(runs))
        if "tidemill" in self.settings.engines:
            sql = self.script(query, "tidemill", track, events, topic)
            runs = self.attempt(
                query, track, "tidemill",
                lambda: [self.run_tidemill(sql, events, self.settings.parallelism) for _ in range(self.settings.repeats)],
            )
            self.add(query, track, "tidemill", runs)

    def flink_runs(self, warm, sql, backend):
        """Measured runs of one backend, after an unmeasured one: a cold JVM costs up to twice as much."""
        parallelism = self.settings.parallelism
        self.run_flink(warm, self.settings.warmup, parallelism, backend)
        return [self.run_flink(sql, self.settings.events, parallelism, backend) for _ in range(self.settings.repeats)]

    def add(self, query, track, engine, outcomes):
        for outcome in outcomes or []:
            self.results.add(query, track, engine, outcome)

    def compare(self, query):
        """Whether our result on a smaller topic of one partition is what Flink's amounts to, or what the events give."""
        events = self.settings.equal_events
        topic = self.topic(events, 1)
        expected = None if query in RECOMPUTED else self.printed_by_flink(query, events, topic)
        sql = self.script(query, "tidemill", "b", events, topic, printed=True)
        if expected is False or not self.attempt(query, "equality", "tidemill", lambda: self.run_tidemill(sql, events, 1)):
            return
        rows = changelog.fold(self.tidemill.printed())
        found = self.recomputed(query, rows, topic) if expected is None else changelog.differences(expected, rows)
        self.equal[query] = not found
        log(f"{query}: {'; '.join(found) or f'equal, {len(rows)} rows'}")

    def printed_by_flink(self, query, events, topic):
        """The rows that Flink's changes amount to; False if it failed."""
        sql = self.script(query, "flink", "b", events, topic, printed=True)
        before = len(self.flink.printed())
        ran = self.attempt(query, "equality", "flink", lambda: self.run_flink(sql, events, 1, "hashmap"))
        return changelog.fold(self.flink.printed()[before:]) if ran else False

    def recomputed(self, query, rows, topic):
        """What is wrong with the rows, as the events tell."""
        bids = self.texts.rows_of("bid", topic, self.kafka)
        if query == "q12":
            return recompute.bids_of_each_bidder(rows, bids)
        auctions = self.texts.rows_of("auction", topic, self.kafka)
        return recompute.mean_of_winning_prices(rows, auctions, bids, self.texts.frame_of_q6)


def best_backend(runs):
    """The runs of the backend that has the cheapest one."""
    ran = [outcomes for outcomes in runs if outcomes]
    return min(ran, key=lambda outcomes: min(one.cpu_s_per_m for one in outcomes)) if ran else None


def cause(text):
    """The innermost of a Java or our own error, on one line."""
    found = [line for line in text.replace("\\n", "\n").splitlines() if "Caused by: " in line]
    return (found[-1].split("Caused by: ", 1)[1] if found else " ".join(text.split()))[:300]


def summary(results, equal, both):
    """The last line. `both`: whether results were compared."""
    line = {}
    for track in ("a", "b"):
        ratios = [ratio for query in QUERIES if (ratio := results.ratio(query, track))]
        line[f"{track}_geomean"] = round(math.exp(sum(map(math.log, ratios)) / len(ratios)), 3) if ratios else None
        line[f"{track}_min"] = round(min(ratios), 3) if ratios else None
    shares = [rss_ratio(results, query, track) for query, track in results.rows()]
    shares = [share for share in shares if share]
    line["rss_worst_ratio"] = round(max(shares), 3) if shares else None
    line["queries_equal"] = sum(equal.values()) if both else None
    return line


def equality(equal):
    """The last line where results alone were compared: how many are right, null where none of a set were."""
    line = {}
    for name, queries in (("nexmark_equal", QUERIES), ("cep_equal", CEP)):
        found = [equal[query] for query in queries if query in equal]
        line[name] = sum(found) if found else None
    return line


def rss_ratio(results, query, track):
    """Our peak memory over Flink's."""
    flink, tidemill = (results.best(query, track, engine) for engine in report.ENGINES)
    return tidemill.peak_rss_mb / flink.peak_rss_mb if flink and tidemill else None


def run(settings, kafka, flink):
    nexmark = Nexmark(settings, kafka, flink)
    log(f"queries: {nexmark.texts.description}")
    tracks = list(settings.tracks)
    if "a" in tracks and (missing := settings.missing_for_track_a()):
        log(f"track a needs {' and '.join(missing)}; running track b on our own generator's events")
        tracks = ["b"]
    for query in settings.run:
        for track in tracks:
            nexmark.measure(query, track)
        if "tidemill" in settings.engines and (flink or query in RECOMPUTED):
            nexmark.compare(query)
    return nexmark


def main():
    settings = Settings(os.environ)
    if unknown := [query for query in settings.run if query not in QUERIES + CEP]:
        sys.exit(f"RUN: there is no query {', '.join(unknown)}; there are q0 to q23 and cep-q0 to cep-q3")
    os.makedirs(settings.folder, exist_ok=True)
    jars = " ".join(jar for jar in (settings.jar, settings.lookup_jar) if jar)
    with Kafka(settings.kafka_folder, settings.tools, KAFKA_PORT) as kafka:
        if "flink" in settings.engines:
            with Flink(f"{settings.folder}/flink", jars, 1, settings.parallelism, HEAP_MB, settings.checkpoint_interval_s) as flink:
                nexmark = run(settings, kafka, flink)
        else:
            nexmark = run(settings, kafka, None)
    if settings.tracks:
        print(report.figures(nexmark.results))
    for (query, track, engine), text in nexmark.failures.items():
        print(f"failed: {query} {track} {engine}: {text}")
    for query, equal in nexmark.equal.items():
        print(f"results of {query}: {'equal' if equal else 'NOT EQUAL'}")
    compared = bool(nexmark.equal)
    print(json.dumps(summary(nexmark.results, nexmark.equal, compared) if settings.tracks else equality(nexmark.equal)))
    return 0 if all(nexmark.equal.values()) and not nexmark.failures else 1


if __name__ == "__main__":
    sys.exit(main())
