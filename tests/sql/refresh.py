#!/usr/bin/env python3
"""Runs the cases of tests/sql on a real Flink and writes what it gives behind `expect` and ` => `.

usage: refresh.py [--new] [FILE.slt ...]      --new: only what has no result of Flink's yet

The rows of each table become a file that Flink reads in order with one thread; the queries of a file run as one job, and
what their changes add up to is written. What Flink refuses keeps the result of its batch, and is told; so is every result
that differs from what stood there. `refused` has to be refused by Flink too.
"""

import glob
import os
import sys
from collections import Counter

from flink_oracle import Flink, Refused, run_all
from slt import CaseFile, Line, lines

HERE = os.path.dirname(os.path.abspath(__file__))


def main(arguments):
    only_new = "--new" in arguments
    paths = [argument for argument in arguments if argument != "--new"] or sorted(glob.glob(f"{HERE}/*.slt"))
    totals, remarks = Counter(), []
    with Flink() as flink:
        for path in paths:
            counts = refresh(flink, path, only_new, remarks)
            totals.update(counts)
            print(f"{os.path.basename(path):30} " + " ".join(f"{name}={count}" for name, count in sorted(counts.items())), flush=True)
    print("\n".join(remarks))
    print(f"{'all':30} " + " ".join(f"{name}={count}" for name, count in sorted(totals.items())))
    return 1 if totals["wrong"] else 0


def refresh(flink, path, only_new, remarks):
    file, counts = CaseFile(path), Counter()
    name = os.path.basename(path)

    def remark(kind, case, text):
        counts[kind] += 1
        remarks.append(f"{name} `{case}`: {text}")

    with flink.session(file) as session:
        refused(session, file, remark, counts)
        queries(session, file, only_new, remark, counts)
        values(session, file, only_new, remark, counts)
    with open(path, "w", encoding="utf-8") as target:
        target.write(file.text())
    return counts


def refused(session, file, remark, counts):
    for query, parts in file.queries():
        if "refused" not in parts or is_here(parts):
            continue
        counts["cases"] += 1
        if session.refusal(query.body) is None:
            remark("wrong", query.name, "Flink runs it: write `refused here` if we cannot")
        else:
            counts["refused"] += 1


def is_here(parts):
    """Whether we alone refuse it."""
    return "refused" in parts and parts["refused"].name == "here"


def queries(session, file, only_new, remark, counts):
    wanted = []
    for query, parts in file.queries():
        if "refused" in parts and not is_here(parts):
            continue
        counts["cases"] += 1
        counts["refused_here"] += is_here(parts)
        if not (only_new and parts.get("expect") and parts["expect"].name.startswith("flink")):
            wanted.append((query, parts))
    results = run_all(session, [query.body for query, _ in wanted])
    for (query, parts), result in zip(wanted, results):
        before = parts["expect"].body if "expect" in parts else None
        if isinstance(result, Refused):
            kind = "kept" if "batch" in parts else "wrong"
            remark(kind, query.name, f"Flink gives nothing: {result}")
            continue
        file.expect(query, result.types, result.rows)
        counts["from_flink"] += 1
        after = dict(file.queries())[query]["expect"].body
        if before is not None and before.strip() and sorted(before.split("\n")) != sorted(after.split("\n")):
            remark("differing", query.name, f"was\n{before}is\n{after}")


def values(session, file, only_new, remark, counts):
    for section in file.sections:
        if section.kind != "values":
            continue
        table = section.name.partition(" over ")[2]
        source = f" FROM {table}" if table else ""
        written = section.body.splitlines()
        places = [place for place, line in enumerate(written) if line in lines(section.body)]
        entries = {place: Line(written[place]) for place in places}
        counts["cases"] += len(entries)
        counts["refused_here"] += sum(line.refused_here for line in entries.values())
        wanted = {place: line for place, line in entries.items() if not (only_new and line.expected)}
        good = {place: line for place, line in wanted.items() if not line.fails()}
        for (place, line), result in zip(good.items(), session.expressions([line.sql for line in good.values()], source)):
            before = line.expected
            line.expected = "fails" if isinstance(result, Refused) else result
            if before and before != line.expected:
                remark("differing", line.sql, f"was {before}, is {line.expected} {result if line.fails() else ''}")
            elif line.fails():
                remark("failing", line.sql, f"fails: {result}")
            counts["from_flink"] += 1
            written[place] = line.text()
        for place, line in wanted.items():
            if place not in good:
                result = run_all(session, [f"SELECT {line.sql}{source}"])[0]
                if not isinstance(result, Refused):
                    remark("wrong", line.sql, f"Flink gives {result.rows}")
                counts["from_flink"] += 1
        section.body = "\n".join(written) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
