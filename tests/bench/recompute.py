"""The queries whose results cannot be compared with Flink's, computed all at once from the same events: q6, which Flink
refuses, and q12, whose windows are the machine's clock. Pure.

Each check takes the folded rows of a run and says what is wrong with them; nothing is wrong when it says nothing.
"""

import itertools
from collections import Counter, defaultdict

from changelog import few

# Where rows tie, any of their orders is right. More orders than this are not tried.
MOST_ORDERS = 10_000


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
        if not any(found[seller] == means(order, frame) for order in orders(expected[seller]))
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


def orders(won):
    """The orders that a seller's prices can have by the times of their bids, as lists of prices."""
    return itertools.islice(all_orders(won), MOST_ORDERS)


def all_orders(won):
    for times in itertools.product(*(times for times, _ in won)):
        by_time = defaultdict(list)
        for time, (_, price) in zip(times, won):
            by_time[time].append(price)
        ties = (itertools.permutations(by_time[time]) for time in sorted(by_time))
        for groups in itertools.product(*ties):
            yield [price for group in groups for price in group]


def means(prices, frame):
    """Whole numbers, as the mean of a BIGINT is."""
    windows = (prices[max(0, last - frame + 1) : last + 1] for last in range(len(prices)))
    return Counter(sum(window) // len(window) for window in windows)


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

