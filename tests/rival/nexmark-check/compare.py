"""Compares our generator's events with the public generator's: what both fix must be the same row for row, what both draw must
have the same distribution. Prints a line for each figure and fails when one is off.

usage: compare.py OURS.json THEIRS.tsv
"""

import json
import sys
from collections import Counter
from datetime import datetime, timezone

FIELDS = {
    "person": ("id", "name", "emailAddress", "creditCard", "city", "state", "dateTime", "extra"),
    "auction": ("id", "itemName", "description", "initialBid", "reserve", "dateTime", "expires", "seller", "category", "extra"),
    "bid": ("auction", "bidder", "price", "channel", "url", "dateTime", "extra"),
}
NUMBERS = {"id", "initialBid", "reserve", "dateTime", "expires", "seller", "category", "auction", "bidder", "price"}
FIXED = {"person": ("id", "dateTime"), "auction": ("id", "dateTime"), "bid": ("dateTime",)}
PLACES = 4
# Relative and absolute, for a million events, of which twenty thousand are persons.
TOLERANCE, LEAST = 0.02, 0.02


def read_theirs(path):
    rows = {kind: [] for kind in FIELDS}
    with open(path) as file:
        for line in file:
            kind, *values = line.rstrip("\n").split("\t")
            rows[kind].append({name: int(text) if name in NUMBERS else text for name, text in zip(FIELDS[kind], values)})
    return rows


def read_ours(path):
    rows = {kind: [] for kind in FIELDS}
    with open(path) as file:
        for row in map(json.loads, file):
            kind = "bid" if "bidder" in row else "auction" if "seller" in row else "person"
            for name in ("dateTime", "expires"):
                if name in row:
                    row[name] = round(datetime.fromisoformat(row[name]).replace(tzinfo=timezone.utc).timestamp() * 1000)
            rows[kind].append(row)
    for kind in rows:  # splits take turns
        rows[kind].sort(key=lambda row: (row["dateTime"], row.get("id", 0)))
    return rows


def quantiles(values):
    values = sorted(values)
    return [values[(len(values) - 1) * place // (PLACES + 1)] for place in range(1, PLACES + 1)]


def hotness(values):
    """The shares of the most frequent values, which tells how uneven the keys are, whatever they are."""
    counts = sorted(Counter(values).values(), reverse=True)
    return [sum(counts[: max(1, len(counts) * part // 100)]) / len(values) for part in (1, 5, 25, 50)]


def figures(rows):
    """Name -> numbers; each is compared on its own."""
    bids, auctions, persons = rows["bid"], rows["auction"], rows["person"]
    own = lambda kind, name: [row[name] for row in rows[kind]]
    for kind, fields in FIELDS.items():
        yield f"{kind} rows", [len(rows[kind])]
        for name in fields:
            if name not in NUMBERS:
                # The four hot channels have one URL each, whose length is a draw of its own.
                texts = [row[name] for row in rows[kind] if name != "url" or "-" in row["channel"]]
                yield f"{kind}.{name} length", spread(map(len, texts))
    for kind, name in (("bid", "auction"), ("bid", "bidder"), ("auction", "seller"), ("bid", "channel"), ("bid", "url")):
        yield f"{kind}.{name} distinct", [len(set(own(kind, name)))]
        yield f"{kind}.{name} shares of the hottest", hotness(own(kind, name))
        if name in NUMBERS:
            yield f"{kind}.{name} quantiles", quantiles(own(kind, name))
    for kind, name in (("bid", "price"), ("auction", "initialBid")):
        yield f"{kind}.{name} digits", shares(len(str(price)) for price in own(kind, name))
    yield "auction length in ms", quantiles(row["expires"] - row["dateTime"] for row in auctions)
    yield "auction.category", shares(own("auction", "category"))
    yield "person.state", shares(own("person", "state"))
    yield "person.city", shares(own("person", "city"))
    yield "bids with a channel id", [mean("channel_id=" in row["url"] for row in bids)]
    yield "sellers who bid", [len(set(own("auction", "seller")) & set(own("bid", "bidder")))]
    yield "persons who sell", [len({row["id"] for row in persons} & set(own("auction", "seller")))]
    for kind in FIELDS:
        yield f"{kind}.extra characters", grouped("".join(row["extra"] for row in rows[kind][:20_000]))


def spread(values):
    """Mean and deviation: quantiles of a few whole numbers jump."""
    values = list(values)
    middle = mean(values)
    return [middle, mean((value - middle) ** 2 for value in values) ** 0.5]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def shares(values):
    counts = Counter(values)
    total = sum(counts.values())
    return [counts[value] / total for value in sorted(counts)]


def grouped(text):
    return [mean(character.islower() for character in text), mean(character == "c" for character in text)]


def main():
    ours, theirs = read_ours(sys.argv[1]), read_theirs(sys.argv[2])
    off = 0
    for kind, names in FIXED.items():
        same = all([row[name] for row in ours[kind]] == [row[name] for row in theirs[kind]] for name in names)
        print(f"{'same' if same else 'OFF '}  {kind} {', '.join(names)}, row for row")
        off += not same
    for (name, mine), (_, other) in zip(figures(ours), figures(theirs)):
        near = len(mine) == len(other) and all(abs(a - b) <= max(TOLERANCE * abs(b), LEAST) for a, b in zip(mine, other))
        print(f"{'near' if near else 'OFF '}  {name}: {[round(x, 4) for x in mine]} / {[round(x, 4) for x in other]}")
        off += not near
    print(json.dumps({"off": off}))
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
