-- A bidder's bids without a longer pause: session windows, in the older form of grouping by a window.
CREATE TABLE results (
  bidder BIGINT,
  bids BIGINT,
  first_at TIMESTAMP(3),
  last_at TIMESTAMP(3)
) WITH ($sink);
INSERT INTO results
SELECT bidder, COUNT(*), SESSION_START(`dateTime`, INTERVAL '8' SECOND), SESSION_END(`dateTime`, INTERVAL '8' SECOND)
FROM bid
GROUP BY bidder, SESSION(`dateTime`, INTERVAL '8' SECOND);
