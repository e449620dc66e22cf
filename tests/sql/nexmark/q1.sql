-- A price in another currency: decimal arithmetic on every bid.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  euros DECIMAL(23, 3),
  bid_at TIMESTAMP(3),
  extra STRING
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price * 0.915, `dateTime`, extra FROM bid;
