"""The queries whose results cannot be compared with Flink's, computed all at once from the same events: q6, which Flink
refuses, and q12, whose windows are the machine's clock. Pure.

Each check takes the folded rows of a run and says what is wrong with them; nothing is wrong when it says nothing.
"""

import itertools
from collections import Counter, defaultdict

from changelog import few

# Where rows tie, any of their orders is right. A seller's orders are not looked through for longer than this many steps.
MOST_STEPS = 1_000_000


def mean_of_winning_prices(rows, auctions, bids, frame):
    """q6: for each auction's highest bid while it was open, the mean over it and the seller's before it, `frame` in all."""
    expected = winners(auctions, bids)
    found = defaultdict(Counter)
    for row, count in rows.items():
        seller, mean = row.split(", ")
        found[int(seller)][int(mean)] += count
    wrong = [
        f"seller {seller}: {dict(found[seller])} is not what {len(expected[seller])} winning bids give"
        for seller in sorted(expected.keys() | found.keys())
        if not are_means(found[seller], expected[seller], frame)
    ]
    return few(wrong)


def winners(auctions, bids):
    """For each seller, for each auction with bids, the times and the price of its highest bids; equal ones tie."""
    open_auctions = {auction["id"]: auction for auction in auctions}
    best = {}
    for bid in bids:
        auction = open_auctions.get(bid["auction"])
        if auction is None or not time_of(auction["dateTime"]) <= time_of(bid["dateTime"]) <= time_of(auction["expires"]):
            continue
        price, times = best.get(bid["auction"], (-1, []))
        if bid["price"] > price:
            best[bid["auction"]] = (bid["price"], [time_of(bid["dateTime"])])
        elif bid["price"] == price:
            times.append(time_of(bid["dateTime"]))
    by_seller = defaultdict(list)
    for auction, (price, times) in best.items():
        by_seller[open_auctions[auction]["seller"]].append((sorted(set(times)), price))
    return by_seller


def are_means(found, won, frame):
    """Whether some order of a seller's prices by the times of their bids has these means."""
    steps = itertools.count()
    return any(has_order(by_time(times, won), found, frame, steps) for times in itertools.product(*(times for times, _ in won)))


def by_time(times, won):
    """The prices of each time, in the order of times."""
    prices = defaultdict(Counter)
    for time, (_, price) in zip(times, won):
        prices[time][price] += 1
    return [prices[time] for time in sorted(prices)]


def has_order(groups, found, frame, steps):
    """Whether the prices can be put one behind the other, group by group, so that their means are those found. An order is
    given up at the first mean that is not among them."""
    if sum(group.total() for group in groups) != found.total():
        return False
    # For each price put: the ones behind it that may still be tried.
    window, left, tries = [], Counter(found), [sorted(groups[0])] if groups else []
    group_of = [number for number, group in enumerate(groups) for _ in range(group.total())]
    while tries:
        if next(steps) > MOST_STEPS:
            return False
        if not tries[-1]:
            tries.pop()
            if window:
                price = window.pop()
                left[mean([*window[-frame:], price], frame)] += 1
                groups[group_of[len(window)]][price] += 1
            continue
        price = tries[-1].pop()
        value = mean([*window[-frame:], price], frame)
        if not left[value]:
            continue
        left[value] -= 1
        groups[group_of[len(window)]][price] -= 1
        window.append(price)
        if len(window) == len(group_of):
            return True
        tries.append([price for price, count in groups[group_of[len(window)]].items() if count])
    return not groups


def mean(prices, frame):
    """Of the last of them; a whole number, as the mean of a BIGINT is."""
    window = prices[-frame:]
    return sum(window) // len(window)


def bids_of_each_bidder(rows, bids):
    """q12: however the clock cut them into windows, every bid is counted once."""
    expected = Counter(bid["bidder"] for bid in bids)
    found = Counter()
    for row, count in rows.items():
        bidder, counted, *_ = row.split(", ")
        found[int(bidder)] += int(counted) * count
    keys = sorted(expected.keys() | found.keys())
    return few([f"bidder {key}: {found[key]} bids instead of {expected[key]}" for key in keys if found[key] != expected[key]])


def time_of(text):
    """A time that compares as text, whatever of its fraction was left out."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<3}"

