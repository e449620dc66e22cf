"""What of the Nexmark benchmark can be tried without engines: `python3 -m unittest discover -s tests/bench`."""

import os
import subprocess
import tempfile
import unittest
from collections import Counter

import changelog
import nexmark
import recompute
import report
from nexmark_texts import OwnTexts, PublishedTexts, published_sets
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
    "q23": "INSERT INTO out SELECT A.dateTime AS at FROM auction A;",
    "q13": "CREATE TABLE side (key INT) WITH (\n  'connector.type' = 'filesystem',\n  'format.type' = 'csv'\n);\nINSERT INTO out SELECT 1;",
}

CEP_TEXT = "CREATE TABLE out (a INT) WITH (\n  'connector' = 'blackhole'\n);\nINSERT INTO out SELECT a FROM bid MATCH_RECOGNIZE (x);"


def write(folder, texts):
    os.makedirs(folder)
    for name, text in texts.items():
        with open(os.path.join(folder, f"{name}.sql"), "w") as file:
            file.write(text)


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
        for query in nexmark.QUERIES + nexmark.CEP:
            for source in ("kafka", "generator"):
                for printed in (True, False):
                    script = OwnTexts("/tmp").script(query, "flink", source, VALUES, printed)
                    self.assertNotIn("$", script)
                    self.assertEqual(printed, "'print'" in script)

    def published(self, query, engine, source, printed):
        with tempfile.TemporaryDirectory() as folder:
            write(os.path.join(folder, "queries"), PUBLISHED)
            write(os.path.join(folder, "queries-cep"), PUBLISHED | {"q0": CEP_TEXT})
            sets = published_sets({"QUERIES": os.path.join(folder, "queries")}, "")
            return PublishedTexts("/tmp", sets).script(query, engine, source, VALUES, printed)

    def test_the_cep_set_has_its_own_texts(self):
        self.assertIn("MATCH_RECOGNIZE", self.published("cep-q0", "flink", "kafka", False))
        self.assertNotIn("MATCH_RECOGNIZE", self.published("q0", "flink", "kafka", False))

    def test_published_texts_are_read_out_of_a_repository(self):
        with tempfile.TemporaryDirectory() as folder:
            write(os.path.join(folder, "work", "x", "queries"), PUBLISHED)
            git = ["git", "-C", os.path.join(folder, "work"), "-c", "user.name=a", "-c", "user.email=a"]
            for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "texts"]):
                subprocess.run([*git, *command], check=True)
            sets = published_sets({"NEXMARK_GIT": os.path.join(folder, "work", ".git")}, os.path.join(folder, "out"))
            self.assertEqual(list(sets), ["q"])
            self.assertIn("FROM bid", PublishedTexts("/tmp", sets).read("q", "q0"))

    def test_published_tables_get_their_topic_and_end(self):
        script = self.published("q0", "flink", "kafka", False)
        self.assertIn("'topic' = 'nexmark-10-event', 'scan.bounded.mode' = 'latest-offset'", script)
        self.assertNotIn("sink.partitioner", script)
        self.assertIn("FROM kafka;", script)

    def test_our_generator_alone_gets_a_seed_and_flinks_does_not_wait(self):
        self.assertIn("'seed' = '7', 'nexmark.every-column' = 'true'", self.published("q0", "tidemill", "generator", False))
        script = self.published("q0", "flink", "generator", False)
        self.assertNotIn("seed", script)
        self.assertIn("'max-emit-speed' = 'true'", script)

    def test_sinks_print_where_results_are_compared(self):
        for query in ("q0", "q10"):
            script = self.published(query, "tidemill", "kafka", True)
            self.assertEqual(script.count("'connector' = 'print'"), 1)
            self.assertNotIn("filesystem", script)
        self.assertIn("$dt $hm:00", self.published("q10", "flink", "kafka", False))

    def test_a_time_behind_a_dot_is_quoted_for_flink_alone(self):
        self.assertIn("A.`dateTime` AS", self.published("q23", "flink", "kafka", False))
        self.assertIn("A.dateTime AS", self.published("q23", "tidemill", "kafka", False))

    def test_the_lookup_source_is_each_engines_own(self):
        self.assertIn("'csv-lookup'", self.published("q13", "flink", "kafka", False))
        self.assertIn("file:///tmp/side.csv", self.published("q13", "tidemill", "kafka", False))


class Recomputed(unittest.TestCase):
    AUCTIONS = [
        {"id": number, "seller": 7, "dateTime": "2026-01-01 00:00:00", "expires": "2026-01-01 00:00:09.5"} for number in (1, 2, 3)
    ]

    @staticmethod
    def bid(auction, price, second):
        return {"auction": auction, "price": price, "bidder": 4, "dateTime": f"2026-01-01 00:00:{second}"}

    def means(self, rows, bids, frame=2):
        return recompute.mean_of_winning_prices(rows, self.AUCTIONS, bids, frame)

    def test_the_highest_bid_of_an_open_auction_counts(self):
        bids = [self.bid(1, 10, "01"), self.bid(1, 30, "02"), self.bid(1, 90, "09.6"), self.bid(2, 5, "03"), self.bid(3, 6, "04")]
        self.assertEqual(self.means({"7, 30": 1, "7, 17": 1, "7, 5": 1}, bids), [])
        self.assertEqual(len(self.means({"7, 30": 1, "7, 17": 1, "7, 6": 1}, bids)), 1)
        self.assertEqual(len(self.means({"7, 30": 1, "7, 17": 1, "7, 5": 1, "8, 1": 1}, bids)), 1)

    def test_any_order_of_bids_at_the_same_time_is_right(self):
        bids = [self.bid(1, 10, "01"), self.bid(2, 20, "02"), self.bid(3, 40, "02.000")]
        self.assertEqual(self.means({"7, 10": 1, "7, 15": 1, "7, 30": 1}, bids), [])
        self.assertEqual(self.means({"7, 10": 1, "7, 25": 1, "7, 30": 1}, bids), [])
        self.assertEqual(len(self.means({"7, 10": 1, "7, 15": 1, "7, 25": 1}, bids)), 1)

    def test_many_orders_are_looked_through_by_their_means(self):
        bids = [self.bid(1, 1, "01"), *(self.bid(auction, 1 << auction, "02") for auction in range(2, 20))]
        auctions = [{**self.AUCTIONS[0], "id": auction, "seller": 7} for auction in range(1, 20)]
        prices = [1, *(1 << auction for auction in sorted(range(2, 20), key=lambda auction: auction * 7 % 19))]
        rows = Counter(f"7, {recompute.mean(prices[:last], 3)}" for last in range(1, len(prices) + 1))
        self.assertEqual(recompute.mean_of_winning_prices(rows, auctions, bids, 3), [])
        rows[next(iter(rows))] += 1
        self.assertEqual(len(recompute.mean_of_winning_prices(rows, auctions, bids, 3)), 1)

    def test_every_bid_is_in_one_window(self):
        bids = [self.bid(1, 10, "01")] * 3
        self.assertEqual(recompute.bids_of_each_bidder({"4, 1, a, b": 1, "4, 2, b, c": 1}, bids), [])
        self.assertEqual(recompute.bids_of_each_bidder({"4, 2, a, b": 1}, bids), ["bidder 4: 2 bids instead of 3"])


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

    def test_equal_results_are_counted_by_set(self):
        self.assertEqual(nexmark.equality({}), {"nexmark_equal": None, "cep_equal": None})
        found = nexmark.equality({"q0": True, "q1": False, "cep-q0": False})
        self.assertEqual(found, {"nexmark_equal": 1, "cep_equal": 0})

    def test_the_innermost_cause_is_told(self):
        self.assertEqual(nexmark.cause("500\\nCaused by: a\\n  at b\\nCaused by: c: d\\n at e"), "c: d")
        self.assertEqual(nexmark.cause("plain\n text"), "plain text")


if __name__ == "__main__":
    unittest.main()
