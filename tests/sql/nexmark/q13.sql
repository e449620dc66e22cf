-- Bids with a value looked up in a table outside.
CREATE TABLE side_input (
  key BIGINT,
  `value` STRING
) WITH ($side_input);
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  bid_at TIMESTAMP(3),
  found STRING
) WITH ($sink);
INSERT INTO results
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.`value`
FROM (SELECT auction, bidder, price, `dateTime`, PROCTIME() AS read_at FROM bid) AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.read_at AS s ON s.key = MOD(b.auction, 10000);
