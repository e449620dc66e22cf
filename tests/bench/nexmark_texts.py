"""The SQL of the Nexmark queries: the published texts where their repository is given, else our own of the same shapes.

Query texts are never changed for Tidemill; what is put in are the tables' options (topic, end of input) and the sink.
"""

import os
import re
import subprocess
from string import Template

OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sql", "nexmark")
BLACKHOLE, PRINT = "'connector' = 'blackhole'", "'connector' = 'print'"
BOUNDED = "'scan.bounded.mode' = 'latest-offset'"


class OwnTexts:
    """One text for both engines, on flat tables: a topic for each kind."""

    kinds = ("person", "auction", "bid")
    description = "our own texts of each shape"
    frame_of_q6 = 10

    def __init__(self, folder):
        self.folder = folder

    def script(self, query, engine, source, values, printed):
        tables = self.read(f"tables.{source}").substitute(values)
        options = {
            "sink": PRINT if printed else BLACKHOLE,
            "partitioned_sink": PRINT if printed else files(f"{self.folder}/{query}-{engine}"),
            "partitioned_by": "" if printed else " PARTITIONED BY (bid_day, bid_minute)",
            "side_input": lookup(engine, values["side_input"]),
        }
        return tables + self.read(query).substitute(options)

    @staticmethod
    def rows_of(kind, topic, kafka):
        """The rows of one of the tables, which are in the topics of one partition of this name."""
        return kafka.records(f"{topic}-{kind}", 1)

    @staticmethod
    def read(name):
        with open(os.path.join(OWN, f"{name}.sql")) as file:
            return Template(file.read())


class PublishedTexts:
    """The benchmark's own, on one table of rows: one topic for all kinds. `sets` are the folders that they are in by what
    their queries' names begin with: `q` and, where it is given, `cep-q`."""

    kinds = ("event",)
    description = "the published texts"
    frame_of_q6 = 11

    def __init__(self, folder, sets):
        self.folder, self.sets = folder, sets

    def script(self, query, engine, source, values, printed):
        names = {
            "TPS": values["rate"], "EVENTS_NUM": values["events"], "BOOTSTRAP_SERVERS": values["broker"],
            "PERSON_PROPORTION": 1, "AUCTION_PROPORTION": 3, "BID_PROPORTION": 46, "FLINK_HOME": self.folder,
            "NEXMARK_DIR": f"{self.folder}/{engine}", "SUBMIT_TIME": query,
            "NEXMARK_TABLE": "kafka" if source == "kafka" else "datagen",
        }
        prefix, number = re.match(r"(\D*)(\d+)$", query).groups()
        files = ("ddl_kafka" if source == "kafka" else "ddl_gen", "ddl_views", f"q{number}")
        *tables, text = (Template(self.read(prefix, name)).safe_substitute(names) for name in files)
        tables = "".join(table + "\n" for table in tables)
        if engine == "flink":
            text = quoted_times(text)
        return self.with_options(tables, engine, values) + self.with_sinks(text, engine, values, printed)

    @staticmethod
    def rows_of(kind, topic, kafka):
        return (event[kind] for event in kafka.records(f"{topic}-event", 1) if event.get(kind))

    def read(self, prefix, name):
        with open(os.path.join(self.sets[prefix], f"{name}.sql")) as file:
            return file.read()

    @staticmethod
    def with_options(tables, engine, values):
        tables = re.sub(r"'topic'\s*=\s*'[^']*'", f"'topic' = '{values['topic']}-event', {BOUNDED}", tables)
        tables = re.sub(r"'sink\.partitioner'\s*=\s*'[^']*',", "", tables)
        # Flink's generator has no seed, and makes every column anyway; it would wait for the clock of its events.
        own = {
            "flink": "'max-emit-speed' = 'true'",
            "tidemill": f"'seed' = '{values['seed']}', 'nexmark.every-column' = '{values['every_column']}'",
        }
        return re.sub(r"'connector'\s*=\s*'nexmark'", f"'connector' = 'nexmark', {own[engine]}", tables)

    @staticmethod
    def with_sinks(text, engine, values, printed):
        # Flink 2 has no lookup source for files any more.
        text = re.sub(r"'connector\.type'.*?(?=\n\))", lookup(engine, values["side_input"]), text, flags=re.S)
        if printed:
            text = re.sub(r"'connector'\s*=\s*'blackhole'", PRINT, text)
            text = re.sub(r"PARTITIONED BY[^;]*?WITH\s*\([^;]*?\n\)", f"WITH ({PRINT})", text, flags=re.S)
        return text


def quoted_times(text):
    """q23 says `A.dateTime`, which Flink 2.3 does not parse: a word of its own stands behind the dot."""
    return re.sub(r"(?<=\w)\.dateTime\b", ".`dateTime`", text)


def files(folder):
    return f"'connector' = 'filesystem', 'path' = 'file://{folder}', 'format' = 'json'"


def lookup(engine, path):
    if engine == "flink":
        return f"'connector' = 'csv-lookup', 'path' = '{path}'"
    return f"'connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'csv'"


def published_sets(env, folder):
    """The folders with the published texts by the beginnings of their queries' names, read out of a git directory where
    that is what is given; None without. The CEP set stands beside the others."""
    if env.get("QUERIES"):
        queries = env["QUERIES"].rstrip("/")
    elif env.get("NEXMARK_GIT"):
        queries = os.path.join(folder, "queries")
        read_out(env["NEXMARK_GIT"], folder)
    else:
        return None
    sets = {"q": queries, "cep-q": f"{queries}-cep"}
    return {prefix: path for prefix, path in sets.items() if os.path.isdir(path)}


def read_out(repository, folder):
    """Writes the published texts into folders named as theirs."""
    git = ["git", "--git-dir", repository]
    listed = subprocess.run([*git, "ls-tree", "-r", "--name-only", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
    for path in listed.stdout.splitlines():
        if found := re.search(r"/(queries(?:-cep)?/\w+\.sql)$", path):
            target = os.path.join(folder, found.group(1))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                subprocess.run([*git, "show", f"HEAD:{path}"], check=True, stdout=file)
