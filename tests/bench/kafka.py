"""The benchmark's broker and topics: a real Kafka on loopback, whose input is loaded once."""

import json
import os
import subprocess
from collections import Counter

RIVAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rival")
PARTITIONS = 4
OUTPUT_PARTITIONS = 2


class Kafka:
    def __init__(self, folder, tools, port):
        self.folder, self.tools, self.port = folder, tools, port
        self.broker = f"127.0.0.1:{port}"
        self.env = os.environ | {"KAFKA_DIR": folder, "KAFKA_PORT": str(port), "KAFKA_CTRL_PORT": str(port + 1)}

    def __enter__(self):
        self.script("start")
        return self

    def __exit__(self, *_):
        self.script("stop")

    def script(self, *arguments):
        path = os.path.join(RIVAL, "kafka_up.sh")
        return subprocess.run([path, *arguments], env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout

    def tool(self, name, *arguments):
        command = [os.path.join(self.tools, name), self.broker, *map(str, arguments)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    @property
    def pid(self):
        with open(os.path.join(self.folder, "broker.pid")) as file:
            return int(file.read())

    def load(self, topic, partitions, tool, *arguments):
        """Fills a topic, whose name says what is in it, with a program; one that is complete is used again."""
        complete = os.path.join(self.folder, f"{topic}.complete")
        if not os.path.exists(complete):
            self.script("delete", topic)
            self.script("topic", topic, str(partitions))
            self.tool(tool, topic, partitions, *arguments)
            open(complete, "w").close()
        return topic

    def output_topic(self, name):
        self.script("delete", name)
        self.script("topic", name, str(OUTPUT_PARTITIONS))
        return name

    def counts(self, topic):
        """The window results in a topic, as a multiset."""
        rows = map(json.loads, self.tool("bench-dump", topic, OUTPUT_PARTITIONS).splitlines())
        return Counter((window(row["window_start"]), row["page"], row["view_count"]) for row in rows)

    def records(self, topic, partitions):
        """The JSON records of a topic, one after the other."""
        command = [os.path.join(self.tools, "bench-dump"), self.broker, topic, str(partitions)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            yield from map(json.loads, process.stdout)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")

    def roof(self, topic, events, mode):
        return json.loads(self.tool("bench-roof", topic, PARTITIONS, events, mode))


def window(text):
    """A window's start without the fraction that some writers add."""
    return text.removesuffix("Z").replace("T", " ").partition(".")[0]


def up_to_end():
    return "'scan.bounded.mode' = 'latest-offset'"


def up_to(events):
    """The first rows of the topic only, for warming up."""
    ends = ";".join(f"partition:{partition},offset:{events // PARTITIONS}" for partition in range(PARTITIONS))
    return f"'scan.bounded.mode' = 'specific-offsets', 'scan.bounded.specific-offsets' = '{ends}'"
