-- Every bid handed on: what reading alone costs.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  bid_at TIMESTAMP(3),
  extra STRING
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price, `dateTime`, extra FROM bid;
