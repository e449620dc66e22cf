-- The highest bids of each auction: the first few rows per key, with their places.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  url STRING,
  bid_at TIMESTAMP(3),
  extra STRING,
  place BIGINT
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price, channel, url, `dateTime`, extra, place
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid
)
WHERE place <= 8;
