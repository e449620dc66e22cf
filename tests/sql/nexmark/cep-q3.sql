-- A fall in price by more than half, however many bids lie between, within three seconds.
CREATE TABLE results (
  auction BIGINT,
  fell_at TIMESTAMP(3),
  fell_by BIGINT
) WITH ($sink);
INSERT INTO results
SELECT *
FROM bid MATCH_RECOGNIZE (
  PARTITION BY auction
  ORDER BY `dateTime`
  MEASURES fallen.`dateTime` AS fell_at, first_one.price - fallen.price AS fell_by
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (first_one same* fallen) WITHIN INTERVAL '3' SECOND
  DEFINE
    same AS same.price * 2 >= first_one.price,
    fallen AS fallen.price * 2 < first_one.price
);
