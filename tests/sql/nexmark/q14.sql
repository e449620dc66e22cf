-- A filter and a few functions on every bid that is left: time of day, letters counted.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  euros DECIMAL(23, 3),
  part_of_day STRING,
  bid_at TIMESTAMP(3),
  extra STRING,
  letters BIGINT
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price * 0.915,
  CASE
    WHEN HOUR(`dateTime`) BETWEEN 6 AND 11 THEN 'morning'
    WHEN HOUR(`dateTime`) BETWEEN 12 AND 17 THEN 'afternoon'
    ELSE 'night'
  END,
  `dateTime`, extra, CAST(CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'e', '')) AS BIGINT)
FROM bid
WHERE price * 0.915 > 500000 AND price * 0.915 < 40000000;
