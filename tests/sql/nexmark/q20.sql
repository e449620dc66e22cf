-- Bids with their auction, of one category: a join that lets a fifth through and keeps all of both.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  url STRING,
  bid_at TIMESTAMP(3),
  bid_extra STRING,
  item STRING,
  description STRING,
  initial_bid BIGINT,
  reserve BIGINT,
  opened TIMESTAMP(3),
  expires TIMESTAMP(3),
  seller BIGINT,
  category BIGINT,
  auction_extra STRING
) WITH ($sink);
INSERT INTO results
SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.`dateTime`, b.extra,
  a.itemName, a.description, a.initialBid, a.reserve, a.`dateTime`, a.expires, a.seller, a.category, a.extra
FROM bid AS b
JOIN auction AS a ON a.id = b.auction
WHERE a.category = 12;
