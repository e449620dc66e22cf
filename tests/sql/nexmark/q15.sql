-- A day's bids, bidders and auctions in ranges of prices: distinct counts with filters, few groups.
CREATE TABLE results (
  bid_day STRING,
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
SELECT DATE_FORMAT(`dateTime`, 'yyyy-MM-dd'),
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
GROUP BY DATE_FORMAT(`dateTime`, 'yyyy-MM-dd');
