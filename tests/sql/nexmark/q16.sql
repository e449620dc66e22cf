-- The same per channel: distinct counts with filters, many groups.
CREATE TABLE results (
  channel STRING,
  bid_day STRING,
  last_minute STRING,
  bids BIGINT,
  low_bids BIGINT,
  middle_bids BIGINT,
  high_bids BIGINT,
  bidders BIGINT,
  low_bidders BIGINT,
  middle_bidders BIGINT,
  high_bidders BIGINT,
  auctions BIGINT,
  low_auctions BIGINT,
  middle_auctions BIGINT,
  high_auctions BIGINT
) WITH ($sink);
INSERT INTO results
SELECT channel, DATE_FORMAT(`dateTime`, 'yyyy-MM-dd'), MAX(DATE_FORMAT(`dateTime`, 'HH:mm')),
  COUNT(*),
  COUNT(*) FILTER (WHERE price < 20000),
  COUNT(*) FILTER (WHERE price >= 20000 AND price < 2000000),
  COUNT(*) FILTER (WHERE price >= 2000000),
  COUNT(DISTINCT bidder),
  COUNT(DISTINCT bidder) FILTER (WHERE price < 20000),
  COUNT(DISTINCT bidder) FILTER (WHERE price >= 20000 AND price < 2000000),
  COUNT(DISTINCT bidder) FILTER (WHERE price >= 2000000),
  COUNT(DISTINCT auction),
  COUNT(DISTINCT auction) FILTER (WHERE price < 20000),
  COUNT(DISTINCT auction) FILTER (WHERE price >= 20000 AND price < 2000000),
  COUNT(DISTINCT auction) FILTER (WHERE price >= 2000000)
FROM bid
GROUP BY channel, DATE_FORMAT(`dateTime`, 'yyyy-MM-dd');
