-- The winning bid of each auction, with all of both: the first of a join's rows per key.
CREATE TABLE results (
  id BIGINT,
  item STRING,
  description STRING,
  initial_bid BIGINT,
  reserve BIGINT,
  opened TIMESTAMP(3),
  expires TIMESTAMP(3),
  seller BIGINT,
  category BIGINT,
  auction_extra STRING,
  bidder BIGINT,
  price BIGINT,
  bid_at TIMESTAMP(3),
  bid_extra STRING
) WITH ($sink);
INSERT INTO results
SELECT id, itemName, description, initialBid, reserve, opened, expires, seller, category, auction_extra, bidder, price, bid_at, bid_extra
FROM (
  SELECT a.id, a.itemName, a.description, a.initialBid, a.reserve, a.`dateTime` AS opened, a.expires, a.seller, a.category,
    a.extra AS auction_extra, b.bidder, b.price, b.`dateTime` AS bid_at, b.extra AS bid_extra,
    ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.`dateTime`) AS place
  FROM auction AS a
  JOIN bid AS b ON b.auction = a.id
  WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
)
WHERE place = 1;
