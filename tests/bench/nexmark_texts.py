"""The SQL of the Nexmark queries: the published texts where their repository is given, else our own of the same shapes.

Query texts are never changed; what is put in are the tables' options (topic, end of input) and the sink.
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
    def read(name):
        with open(os.path.join(OWN, f"{name}.sql")) as file:
            return Template(file.read())


class PublishedTexts:
    """The benchmark's own, on one table of rows: one topic for all kinds."""

    kinds = ("event",)
    description = "the published texts"

    def __init__(self, folder, queries):
        self.folder, self.queries = folder, queries

    def script(self, query, engine, source, values, printed):
        names = {
            "TPS": values["rate"], "EVENTS_NUM": values["events"], "BOOTSTRAP_SERVERS": values["broker"],
            "PERSON_PROPORTION": 1, "AUCTION_PROPORTION": 3, "BID_PROPORTION": 46, "FLINK_HOME": self.folder,
            "NEXMARK_DIR": f"{self.folder}/{engine}", "SUBMIT_TIME": query,
            "NEXMARK_TABLE": "kafka" if source == "kafka" else "datagen",
        }
        text = {name: Template(self.read(name)).safe_substitute(names) for name in self.needed(query, source)}
        tables = "".join(text[name] + "\n" for name in list(text)[:-1])
        return self.with_options(tables, engine, values) + self.with_sinks(text[query], engine, values, printed)

    @staticmethod
    def needed(query, source):
        return ("ddl_kafka" if source == "kafka" else "ddl_gen", "ddl_views", query)

    def read(self, name):
        with open(os.path.join(self.queries, f"{name}.sql")) as file:
            return file.read()

    @staticmethod
    def with_options(tables, engine, values):
        tables = re.sub(r"'topic'\s*=\s*'[^']*'", f"'topic' = '{values['topic']}-event', {BOUNDED}", tables)
        tables = re.sub(r"'sink\.partitioner'\s*=\s*'[^']*',", "", tables)
        if engine == "tidemill":  # Flink's generator has no seed, and makes every column anyway
            own = f"'connector' = 'nexmark', 'seed' = '{values['seed']}', 'nexmark.every-column' = '{values['every_column']}'"
            tables = re.sub(r"'connector'\s*=\s*'nexmark'", own, tables)
        return tables

    @staticmethod
    def with_sinks(text, engine, values, printed):
        # Flink 2 has no lookup source for files any more.
        text = re.sub(r"'connector\.type'.*?(?=\n\))", lookup(engine, values["side_input"]), text, flags=re.S)
        if printed:
            text = re.sub(r"'connector'\s*=\s*'blackhole'", PRINT, text)
            text = re.sub(r"PARTITIONED BY[^;]*?WITH\s*\([^;]*?\n\)", f"WITH ({PRINT})", text, flags=re.S)
        return text


def files(folder):
    return f"'connector' = 'filesystem', 'path' = 'file://{folder}', 'format' = 'json'"


def lookup(engine, path):
    if engine == "flink":
        return f"'connector' = 'csv-lookup', 'path' = '{path}'"
    return f"'connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'csv'"


def published_queries(env, folder):
    """The folder with the published texts, read out of a git directory where that is what is given; None without."""
    if env.get("QUERIES"):
        return env["QUERIES"]
    if not env.get("NEXMARK_GIT"):
        return None
    git = ["git", "--git-dir", env["NEXMARK_GIT"]]
    listed = subprocess.run([*git, "ls-tree", "-r", "--name-only", "HEAD"], check=True, stdout=subprocess.PIPE, text=True)
    os.makedirs(folder, exist_ok=True)
    for path in listed.stdout.splitlines():
        if re.search(r"/queries/\w+\.sql$", path):
            with open(os.path.join(folder, os.path.basename(path)), "wb") as file:
                subprocess.run([*git, "show", f"HEAD:{path}"], check=True, stdout=file)
    return folder
