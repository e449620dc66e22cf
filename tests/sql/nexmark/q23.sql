-- A bidder who also sells: three tables joined by one person.
CREATE TABLE results (
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  bid_extra STRING,
  name STRING,
  email STRING,
  city STRING,
  state STRING,
  item STRING,
  initial_bid BIGINT,
  opened TIMESTAMP(3),
  expires TIMESTAMP(3),
  category BIGINT
) WITH ($sink);
INSERT INTO results
SELECT b.bidder, b.price, b.channel, b.extra, p.name, p.emailAddress, p.city, p.state, a.itemName, a.initialBid, a.`dateTime`, a.expires, a.category
FROM bid AS b
JOIN person AS p ON p.id = b.bidder
JOIN auction AS a ON a.seller = b.bidder;
