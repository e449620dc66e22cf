"""What of the Nexmark benchmark can be tried without engines: `python3 -m unittest discover -s tests/bench`."""

import os
import tempfile
import unittest

import changelog
import nexmark
import report
from nexmark_texts import OwnTexts, PublishedTexts
from outcome import Outcome

VALUES = {
    "events": 10, "seed": 7, "rate": 100, "every_column": "true", "topic": "nexmark-10", "broker": "127.0.0.1:1",
    "side_input": "/tmp/side.csv",
}
PUBLISHED = {
    "ddl_kafka": "CREATE TABLE kafka (event_type int) WITH (\n  'connector' = 'kafka',\n  'topic' = 'nexmark',\n"
    "  'properties.bootstrap.servers' = '${BOOTSTRAP_SERVERS}',\n  'sink.partitioner' = 'round-robin',\n  'format' = 'json'\n);",
    "ddl_gen": "CREATE TABLE datagen (event_type int) WITH (\n  'connector' = 'nexmark',\n  'events.num' = '${EVENTS_NUM}'\n);",
    "ddl_views": "CREATE VIEW bid AS SELECT * FROM ${NEXMARK_TABLE};",
    "q0": "CREATE TABLE out (a INT) WITH (\n  'connector' = 'blackhole'\n);\nINSERT INTO out SELECT a FROM bid;",
    "q10": "CREATE TABLE out (a INT) PARTITIONED BY (dt, hm) WITH (\n  'connector' = 'filesystem',\n"
    "  'pattern' = '$dt $hm:00'\n);\nINSERT INTO out SELECT a FROM bid;",
    "q13": "CREATE TABLE side (key INT) WITH (\n  'connector.type' = 'filesystem',\n  'format.type' = 'csv'\n);\nINSERT INTO out SELECT 1;",
}


def outcome(cpu_s, rss=100):
    return Outcome(events=1_000_000, seconds=1, cpu_s=cpu_s, jit_s=0, broker_cpu_s=0, peak_rss_mb=rss)


class Changelog(unittest.TestCase):
    def test_what_was_withdrawn_is_gone_and_other_lines_are_passed_over(self):
        lines = ["results> +I[1, a]", "2> +I[1, a]", "+I[2, b]", "-U[2, b]", "+U[2, c> +I[x]]", "-D[1, a]", '{"records": 3}']
        self.assertEqual(changelog.fold(lines), {"1, a": 1, "2, c> +I[x]": 1})

    def test_differences_name_rows_and_are_few(self):
        self.assertEqual(changelog.differences({"a": 1}, {"a": 1}), [])
        found = changelog.differences({"a": 1, "b": 1, "c": 1}, {"a": 2, "d": 1}, most=2)
        self.assertEqual(found, ["2 instead of 1 times [a]", "0 instead of 1 times [b]", "and 2 more"])


class Texts(unittest.TestCase):
    def test_every_text_of_our_own_is_filled_in(self):
        for query in nexmark.QUERIES:
            for source in ("kafka", "generator"):
                for printed in (True, False):
                    script = OwnTexts("/tmp").script(query, "flink", source, VALUES, printed)
                    self.assertNotIn("$", script)
                    self.assertEqual(printed, "'print'" in script)

    def published(self, query, engine, source, printed):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in PUBLISHED.items():
                with open(os.path.join(folder, f"{name}.sql"), "w") as file:
                    file.write(text)
            return PublishedTexts("/tmp", folder).script(query, engine, source, VALUES, printed)

    def test_published_tables_get_their_topic_and_end(self):
        script = self.published("q0", "flink", "kafka", False)
        self.assertIn("'topic' = 'nexmark-10-event', 'scan.bounded.mode' = 'latest-offset'", script)
        self.assertNotIn("sink.partitioner", script)
        self.assertIn("FROM kafka;", script)

    def test_our_generator_alone_gets_a_seed(self):
        self.assertIn("'seed' = '7', 'nexmark.every-column' = 'true'", self.published("q0", "tidemill", "generator", False))
        self.assertNotIn("seed", self.published("q0", "flink", "generator", False))

    def test_sinks_print_where_results_are_compared(self):
        for query in ("q0", "q10"):
            script = self.published(query, "tidemill", "kafka", True)
            self.assertEqual(script.count("'connector' = 'print'"), 1)
            self.assertNotIn("filesystem", script)
        self.assertIn("$dt $hm:00", self.published("q10", "flink", "kafka", False))

    def test_the_lookup_source_is_each_engines_own(self):
        self.assertIn("'csv-lookup'", self.published("q13", "flink", "kafka", False))
        self.assertIn("file:///tmp/side.csv", self.published("q13", "tidemill", "kafka", False))


class Summary(unittest.TestCase):
    def test_the_better_backend_counts(self):
        slow, fast = [outcome(2), outcome(5)], [outcome(3), outcome(1)]
        self.assertEqual(nexmark.best_backend([slow, None, fast]), fast)
        self.assertIsNone(nexmark.best_backend([None]))

    def test_ratios_are_of_both_engines_and_missing_tracks_are_null(self):
        results = report.Results()
        for query, flink, tidemill in (("q0", 8, 2), ("q1", 9, 1)):
            results.outcomes[query, "b", "flink"] = [outcome(flink, rss=400)]
            results.outcomes[query, "b", "tidemill"] = [outcome(tidemill, rss=100)]
        results.outcomes["q6", "b", "tidemill"] = [outcome(1)]
        line = nexmark.summary(results, {"q0": True, "q1": False}, True)
        self.assertEqual(line, {"a_geomean": None, "a_min": None, "b_geomean": 6.0, "b_min": 4.0, "rss_worst_ratio": 0.25, "queries_equal": 1})

    def test_the_innermost_cause_is_told(self):
        self.assertEqual(nexmark.cause("500\\nCaused by: a\\n  at b\\nCaused by: c: d\\n at e"), "c: d")
        self.assertEqual(nexmark.cause("plain\n text"), "plain text")


if __name__ == "__main__":
    unittest.main()
