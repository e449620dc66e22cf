-- The same runs with one from every bid that begins one: matches overlap.
CREATE TABLE results (
  bidder BIGINT,
  began TIMESTAMP(3),
  highest BIGINT,
  total BIGINT
) WITH ($sink);
INSERT INTO results
SELECT *
FROM bid MATCH_RECOGNIZE (
  PARTITION BY bidder
  ORDER BY `dateTime`
  MEASURES FIRST(cheap.`dateTime`) AS began, MAX(cheap.price) AS highest, SUM(cheap.price) AS total
  ONE ROW PER MATCH
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (cheap+ dear)
  DEFINE cheap AS SUM(cheap.price) < 20000
);
