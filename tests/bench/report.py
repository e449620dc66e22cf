"""From outcomes to the table and the JSON line. Pure, apart from a progress line on standard error.

A figure is the run with the least CPU time per million events, of either engine alike; the spread over the runs stands
beside it. `ratio` is how much more work Tidemill does per CPU-second than Flink.
"""

import json
import sys
from collections import defaultdict

ENGINES = ("flink", "tidemill")


class Results:
    def __init__(self):
        self.outcomes = defaultdict(list)  # (case, shape, engine)
        self.counts = []  # (shape, engine, multiset)
        self.roofs = defaultdict(list)  # mode

    def add(self, case, shape, engine, outcome):
        self.outcomes[case, shape, engine].append(outcome)
        log(f"{case} {shape} {engine}: {outcome.events_per_s:,.0f} events/s, {outcome.cpu_s_per_m:.3f} CPU-s/M")

    def add_counts(self, shape, engine, counts):
        self.counts.append((shape, engine, counts))

    def add_roof(self, mode, measured):
        self.roofs[mode].append(measured)
        log(f"roof {mode}: {measured['events_per_s']:,.0f} events/s, {measured['cpu_s_per_m']:.3f} CPU-s/M")

    def best(self, case, shape, engine):
        runs = self.outcomes.get((case, shape, engine))
        return min(runs, key=lambda run: run.cpu_s_per_m) if runs else None

    def ratio(self, case, shape):
        flink, tidemill = (self.best(case, shape, engine) for engine in ENGINES)
        return flink.cpu_s_per_m / tidemill.cpu_s_per_m if flink and tidemill else None

    def equal(self):
        """Whether all window results are the same multiset; None when only one engine ran."""
        if len({engine for _, engine, _ in self.counts}) < 2:
            return None
        return all(counts == self.counts[0][2] for _, _, counts in self.counts)

    def rows(self):
        return list(dict.fromkeys((case, shape) for case, shape, _ in self.outcomes))

    def roof_cpu_s_per_m(self, mode):
        return min(run["cpu_s_per_m"] for run in self.roofs[mode]) if self.roofs[mode] else None


def log(text):
    print(text, file=sys.stderr, flush=True)


HEAD = ("case", "shape", "engine", "k events/s", "CPU-s/M", "spread", "JIT CPU-s/M", "broker CPU-s/M", "peak RSS MB", "ratio")


def table(results):
    return f"{figures(results)}\n{roof_text(results)}\n{equality_text(results)}"


def figures(results):
    lines = [HEAD]
    for case, shape in results.rows():
        for engine in ENGINES:
            if best := results.best(case, shape, engine):
                lines.append(row(results, case, shape, engine, best))
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines)


def row(results, case, shape, engine, best):
    costs = [run.cpu_s_per_m for run in results.outcomes[case, shape, engine]]
    ratio = results.ratio(case, shape) if engine == "tidemill" else None
    return (
        case, shape, engine,
        f"{best.events_per_s / 1000:,.0f}",
        f"{best.cpu_s_per_m:.3f}",
        f"{min(costs):.2f}-{max(costs):.2f} n={len(costs)}",
        f"{best.per_million(best.jit_s):.2f}",
        f"{best.per_million(best.broker_cpu_s):.2f}",
        f"{best.peak_rss_mb:,.0f}",
        f"{ratio:.2f}x" if ratio else "",
    )


def roof_text(results):
    costs = {mode: results.roof_cpu_s_per_m(mode) for mode in ("client", "decode")}
    if None in costs.values():
        return "roof: not measured"
    return "roof, one thread: bare Kafka client {client:.3f} CPU-s/M, with arrow's JSON decoder {decode:.3f} CPU-s/M".format(**costs)


def equality_text(results):
    said = {True: "equal as multisets", False: "NOT EQUAL", None: "not compared: only one engine ran the window job"}
    sizes = sorted({f"{sum(counts.values())} rows, {sum(views * n for (_, _, views), n in counts.items())} views" for _, _, counts in results.counts})
    return f"window results: {said[results.equal()]} ({'; '.join(sizes)})"


def json_line(results):
    figures = {}
    for case, shape in results.rows():
        ratio = results.ratio(case, shape)
        if ratio:
            figures[f"{case}_{shape}_ratio"] = round(ratio, 3)
        for engine in ENGINES:
            if best := results.best(case, shape, engine):
                name = f"{case}_{shape}_{engine}"
                figures[f"{name}_events_per_s"] = round(best.events_per_s)
                figures[f"{name}_cpu_s_per_m"] = round(best.cpu_s_per_m, 4)
                figures[f"{name}_broker_cpu_s_per_m"] = round(best.per_million(best.broker_cpu_s), 4)
                figures[f"{name}_peak_rss_mb"] = round(best.peak_rss_mb)
    figures["roof_client_cpu_s_per_m"] = results.roof_cpu_s_per_m("client")
    figures["roof_decode_cpu_s_per_m"] = results.roof_cpu_s_per_m("decode")
    figures["results_equal"] = results.equal()
    return json.dumps(figures)
