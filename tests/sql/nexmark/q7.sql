-- The highest bids of each window: a windowed maximum joined with the bids again.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  bid_at TIMESTAMP(3),
  extra STRING
) WITH ($sink);
INSERT INTO results
SELECT b.auction, b.bidder, b.price, b.`dateTime`, b.extra
FROM bid AS b
JOIN (
  SELECT window_end AS ends, MAX(price) AS highest
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '8' SECOND))
  GROUP BY window_start, window_end
) AS w ON w.highest = b.price
WHERE b.`dateTime` BETWEEN w.ends - INTERVAL '8' SECOND AND w.ends;
