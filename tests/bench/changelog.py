"""From the lines of a print sink to the table that they amount to. Pure.

Both engines print a row as `name> +I[a, b]`; Flink puts the subtask's number behind the name when there are several.
"""

import re
from collections import Counter

ROW = re.compile(r"^(?:[^>\[]*> )?([+-][IUD])\[(.*)\]$")
GAINS = {"+I": 1, "+U": 1, "-U": -1, "-D": -1}


def fold(lines):
    """The rows that are left, as a multiset; other lines are passed over."""
    rows = Counter()
    for line in lines:
        if found := ROW.match(line):
            rows[found.group(2)] += GAINS[found.group(1)]
    return {row: count for row, count in rows.items() if count}


def differences(expected, found, most=3):
    """What is in one table and not in the other, in words; empty when they are equal."""
    said = []
    for row in sorted(expected.keys() | found.keys()):
        if expected.get(row, 0) != found.get(row, 0):
            said.append(f"{found.get(row, 0)} instead of {expected.get(row, 0)} times [{row}]")
    return few(said, most)


def few(said, most=3):
    return said[:most] + ([f"and {len(said) - most} more"] if len(said) > most else [])
