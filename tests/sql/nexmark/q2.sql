-- Bids on some auctions: a filter that lets few rows through.
CREATE TABLE results (
  auction BIGINT,
  price BIGINT
) WITH ($sink);
INSERT INTO results
SELECT auction, price FROM bid WHERE MOD(auction, 127) = 0;
