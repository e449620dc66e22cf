-- Runs of a bidder's bids that stay cheap on the whole, and the bid that ends them; each bid is in one run.
CREATE TABLE results (
  bidder BIGINT,
  began TIMESTAMP(3),
  bids BIGINT,
  mean_price BIGINT,
  ended TIMESTAMP(3)
) WITH ($sink);
INSERT INTO results
SELECT *
FROM bid MATCH_RECOGNIZE (
  PARTITION BY bidder
  ORDER BY `dateTime`
  MEASURES
    FIRST(cheap.`dateTime`) AS began,
    COUNT(cheap.price) AS bids,
    AVG(cheap.price) AS mean_price,
    dear.`dateTime` AS ended
  ONE ROW PER MATCH
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (cheap+ dear)
  DEFINE cheap AS AVG(cheap.price) < 5000
);
