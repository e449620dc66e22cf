"""A real Flink that answers queries over the tables of a case file. Each query is wrapped so that its rows are printed as
texts by Flink's own CAST to STRING; many run in one job."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

from slt import written

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(TESTS, "bench"))
from flink import call  # noqa: E402

CACHE = os.environ.get("TIDEMILL_CACHE", os.path.expanduser("~/.cache/tidemill"))
REST_PORT, RPC_PORT, GATEWAY_PORT = 38081, 36123, 38083
REST, GATEWAY = f"http://127.0.0.1:{REST_PORT}", f"http://127.0.0.1:{GATEWAY_PORT}/v1"
# Queries of one job.
BATCH = 40
SETTINGS = {
    "parallelism.default": "1",
    "execution.runtime-mode": "streaming",
    "restart-strategy.type": "none",
    "execution.checkpointing.checkpoints-after-tasks-finish": "false",
    "table.local-time-zone": "UTC",
    # Flink takes ranks that differ in the order of NULLs alone for one.
    "table.optimizer.reuse-sub-plan-enabled": "false",
}
PRINTED = re.compile(r"^@(\d+)(?::\d+)?> ([+-][IUD])\[(\d+), (.*)\]$")


class Refused(Exception):
    """Flink does not plan a query, or its job fails."""


@dataclass
class Answer:
    types: list
    rows: list


class Flink:
    def __init__(self):
        self.folder = os.environ.get("FLINK_DIR", os.path.join(CACHE, "rival", "flink-sql"))
        self.env = os.environ | {
            "FLINK_DIR": self.folder, "SLOTS": "4", "TM_HEAP_MB": "1024", "KAFKA_CONNECTOR": "", "CHECKPOINT_INTERVAL": "1h",
            "REST_PORT": str(REST_PORT), "RPC_PORT": str(RPC_PORT), "GATEWAY_PORT": str(GATEWAY_PORT), "LC_ALL": "C.UTF-8",
        }

    def __enter__(self):
        # One that stands already serves: KEEP_FLINK=1 leaves it standing.
        if not self.stands():
            self.script("start")
        return self

    def __exit__(self, *_):
        if not os.environ.get("KEEP_FLINK"):
            self.script("stop")

    def stands(self):
        try:
            return call(f"{REST}/overview")["taskmanagers"] == 1 and bool(call(f"{GATEWAY}/info"))
        except OSError:
            return False

    def script(self, command):
        subprocess.run([os.path.join(TESTS, "rival", "flink_up.sh"), command], env=self.env, check=True)

    def session(self, file):
        return Session(self, file)

    def printed(self):
        for path in sorted(glob.glob(f"{self.folder}/log/flink-*-taskexecutor-*.out")):
            with open(path, encoding="utf-8", errors="replace") as file:
                yield from file


class Session:
    """The tables and definitions of one case file."""

    def __init__(self, flink, file):
        self.flink, self.file = flink, file
        self.runs = int(time.time() * 1000)

    def __enter__(self):
        self.handle = call(f"{GATEWAY}/sessions", {"properties": SETTINGS})["sessionHandle"]
        data = os.path.join(self.flink.folder, "data")
        shutil.rmtree(data, ignore_errors=True)
        for name, columns, rows, changes in self.file.tables():
            path = os.path.join(data, name)
            os.makedirs(path)
            kind = "debezium-json" if changes else "json"
            self.execute(f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'path' = 'file://{path}',"
                         f" 'format' = '{kind}', '{kind}.timestamp-format.standard' = 'SQL')")
            with open(os.path.join(path, "rows"), "w", encoding="utf-8") as target:
                target.write("".join(self.record(row, self.stored(name), changes) for row in rows))
        for definition in self.file.definitions():
            self.execute(definition)
        return self

    def __exit__(self, *_):
        call(f"{GATEWAY}/sessions/{self.handle}", method="DELETE")

    def stored(self, table):
        """Names and types of the columns that are no expressions."""
        return [(row[0], row[1]) for row in self.execute(f"DESCRIBE {table}") if not (row[4] or "").startswith("AS ")]

    def record(self, row, columns, changes):
        change = row[0] if changes else "+"
        cells = row[1:] if changes else row
        pairs = (f"{json.dumps(name)}: {cell_json(cell, kind)}" for cell, (name, kind) in zip(cells, columns))
        fields = "{" + ", ".join(pairs) + "}"
        if not changes:
            return fields + "\n"
        before, after, kind = (fields, "null", "d") if change == "-" else ("null", fields, "c")
        return f'{{"before": {before}, "after": {after}, "op": "{kind}"}}\n'

    def execute(self, statement):
        """The rows that a statement gives which runs no job."""
        base = f"{GATEWAY}/sessions/{self.handle}"
        operation = call(f"{base}/statements", {"statement": statement})["operationHandle"]
        rows, token = [], 0
        while True:
            try:
                result = call(f"{base}/operations/{operation}/result/{token}")
            except RuntimeError as error:
                raise Refused(cause(str(error))) from None
            if result["resultType"] == "NOT_READY":
                time.sleep(0.03)
                continue
            rows += [row["fields"] for row in result["results"]["data"]]
            if not result.get("nextResultUri"):
                return rows
            token += 1

    def refusal(self, query):
        """Why Flink does not plan a query; none if it does."""
        try:
            self.execute(f"EXPLAIN {query}")
            return None
        except Refused as problem:
            return str(problem)

    def describe(self, query):
        """The types of a query's columns."""
        self.execute(f"CREATE TEMPORARY VIEW described AS {query}")
        try:
            return [normal_type(row[1]) for row in self.execute("DESCRIBE described")]
        finally:
            self.execute("DROP TEMPORARY VIEW described")

    def expressions(self, expressions, source):
        """What each expression gives as `value :: type`, or why it fails. All in one query while that is right."""
        if not expressions:
            return []
        result = run_all(self, ["SELECT " + ",\n".join(expressions) + source])[0]
        if not isinstance(result, Refused):
            return [f"{written(cell)} :: {kind}" for cell, kind in zip(result.rows[0], result.types)]
        if len(expressions) == 1:
            return [result]
        middle = len(expressions) // 2
        return self.expressions(expressions[:middle], source) + self.expressions(expressions[middle:], source)

    def insertion(self, number, query, types):
        names = [f"c{place}" for place in range(len(types))]
        # The empty text keeps JSON_ARRAY from taking JSON that a function made for more than a text.
        cells = ", ".join(f"'' || CAST({name} AS STRING)" for name in names)
        return (f"INSERT INTO printed SELECT {number}, JSON_ARRAY({cells} NULL ON NULL)"
                f" FROM (\n{query}\n) AS q({', '.join(names)});")

    def run(self, queries):
        """The rows of queries, given as (query, types), that run in one job."""
        self.runs += 1
        self.execute("DROP TABLE IF EXISTS printed")
        self.execute(f"CREATE TABLE printed (n INT, cells STRING) WITH ('connector' = 'print', 'print-identifier' = '@{self.runs}')")
        inserts = [self.insertion(number, query, types) for number, (query, types) in enumerate(queries)]
        job = self.execute("EXECUTE STATEMENT SET BEGIN\n" + "\n".join(inserts) + "\nEND")[0][0]
        await_job(job)
        tables = [Counter() for _ in queries]
        for line in self.flink.printed():
            match = PRINTED.match(line.rstrip("\n"))
            if match and match[1] == str(self.runs):
                number, cells = int(match[3]), json.loads(match[4])
                row = tuple(normal_cell(cell, kind) for cell, kind in zip(cells, queries[number][1]))
                tables[number][row] += 1 if match[2] in ("+I", "+U") else -1
        return [Answer(types, list(table.elements())) for table, (_, types) in zip(tables, queries)]


def run_all(session, queries):
    """For each query its Answer, or the Refused that it ends with."""
    results = [None] * len(queries)
    planned = []
    for place, query in enumerate(queries):
        try:
            planned.append((place, query, session.describe(query)))
        except Refused as problem:
            results[place] = problem
    for start in range(0, len(planned), BATCH):
        for place, result in halving(session, planned[start:start + BATCH]):
            results[place] = result
    return results


def halving(session, planned):
    """Runs queries in one job; if it fails, each half in one."""
    if not planned:
        return []
    try:
        answers = session.run([(query, types) for _, query, types in planned])
        return [(place, answer) for (place, _, _), answer in zip(planned, answers)]
    except Refused as problem:
        if len(planned) == 1:
            return [(planned[0][0], problem)]
        middle = len(planned) // 2
        return halving(session, planned[:middle]) + halving(session, planned[middle:])


def await_job(job):
    while True:
        state = call(f"{REST}/jobs/{job}")["state"]
        if state == "FINISHED":
            return
        if state in ("FAILED", "CANCELED"):
            raise Refused(cause(json.dumps(call(f"{REST}/jobs/{job}/exceptions"))))
        time.sleep(0.1)


def cause(trace):
    """The last cause that a stack trace names."""
    causes = re.findall(r"Caused by: ([^\n]*?)(?:\\n|\n|$)", trace.replace("\\r", ""))
    return (causes[-1] if causes else trace)[:300]


def cell_json(cell, kind):
    if cell is None:
        return "null"
    if re.match(r"(TINYINT|SMALLINT|INT|BIGINT|FLOAT|DOUBLE|DECIMAL|BOOLEAN|ROW|ARRAY|MAP)", kind) and cell not in ("NaN", "Infinity", "-Infinity"):
        return cell.lower() if kind.startswith("BOOLEAN") else cell
    return json.dumps(cell)


def normal_type(kind):
    """A type without what our types do not tell: NOT NULL, lengths, precisions of time."""
    kind = kind.replace(" NOT NULL", "").replace("`", "").split(" *")[0]
    kind = re.sub(r"(VAR)?CHAR\(\d+\)", "STRING", kind)
    kind = re.sub(r"(VAR)?BINARY\(\d+\)", "BYTES", kind)
    kind = re.sub(r"\b(TIMESTAMP|TIMESTAMP_LTZ)\(\d\)", r"\1(3)", kind)
    return re.sub(r"\bTIME\(\d\)", "TIME", kind)


def normal_cell(cell, kind):
    """A value as our tests write it: times with milliseconds, maps in the order of their entries."""
    if cell is None:
        return None
    if kind.startswith("TIMESTAMP"):
        whole, _, fraction = cell.partition(".")
        return f"{whole}.{fraction.rstrip('0').ljust(3, '0')}"
    if kind.startswith(("MAP", "MULTISET")):
        return "{" + ", ".join(sorted(cell[1:-1].split(", "))) + "}"
    return cell
