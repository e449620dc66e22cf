-- An auction's day in figures: plain aggregates that change with every bid.
CREATE TABLE results (
  auction BIGINT,
  bid_day STRING,
  bids BIGINT,
  low_bids BIGINT,
  middle_bids BIGINT,
  high_bids BIGINT,
  lowest BIGINT,
  highest BIGINT,
  mean BIGINT,
  total BIGINT
) WITH ($sink);
INSERT INTO results
SELECT auction, DATE_FORMAT(`dateTime`, 'yyyy-MM-dd'),
  COUNT(*),
  COUNT(*) FILTER (WHERE price < 20000),
  COUNT(*) FILTER (WHERE price >= 20000 AND price < 2000000),
  COUNT(*) FILTER (WHERE price >= 2000000),
  MIN(price), MAX(price), AVG(price), SUM(price)
FROM bid
GROUP BY auction, DATE_FORMAT(`dateTime`, 'yyyy-MM-dd');
