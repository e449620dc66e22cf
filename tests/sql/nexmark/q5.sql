-- The auctions with the most bids of each sliding window: hopping counts joined with their own maximum.
CREATE TABLE results (
  window_end TIMESTAMP(3),
  auction BIGINT,
  bids BIGINT
) WITH ($sink);
INSERT INTO results
SELECT counted.window_end, counted.auction, counted.bids
FROM (
  SELECT window_start, window_end, auction, COUNT(*) AS bids
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '3' SECOND, INTERVAL '12' SECOND))
  GROUP BY window_start, window_end, auction
) AS counted
JOIN (
  SELECT window_start, window_end, MAX(bids) AS most
  FROM (
    SELECT window_start, window_end, auction, COUNT(*) AS bids
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '3' SECOND, INTERVAL '12' SECOND))
    GROUP BY window_start, window_end, auction
  )
  GROUP BY window_start, window_end
) AS top
ON counted.window_start = top.window_start AND counted.window_end = top.window_end AND counted.bids = top.most;
