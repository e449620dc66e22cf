-- A bidder's last bid on each auction: the newest row per key.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  url STRING,
  bid_at TIMESTAMP(3),
  extra STRING
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction, bidder ORDER BY `dateTime` DESC) AS place FROM bid
)
WHERE place = 1;
