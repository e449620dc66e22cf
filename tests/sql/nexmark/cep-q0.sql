-- Prices of one bidder for one auction that fall twice or more and rise again; the next match may begin where they rose.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  fell_from BIGINT,
  lowest BIGINT,
  rose_at TIMESTAMP(3)
) WITH ($sink);
INSERT INTO results
SELECT *
FROM bid MATCH_RECOGNIZE (
  PARTITION BY auction, bidder
  ORDER BY `dateTime`
  MEASURES high.price AS fell_from, LAST(low.price) AS lowest, up.`dateTime` AS rose_at
  ONE ROW PER MATCH
  AFTER MATCH SKIP TO LAST up
  PATTERN (high low{2,} up)
  DEFINE
    low AS low.price < LAST(low.price, 1) OR (LAST(low.price, 1) IS NULL AND low.price < high.price),
    up AS up.price > LAST(low.price)
);
