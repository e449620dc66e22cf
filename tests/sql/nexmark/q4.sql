-- The mean of winning prices per category: a join, a maximum per auction, and an average of what changes.
CREATE TABLE results (
  category BIGINT,
  mean_price BIGINT
) WITH ($sink);
INSERT INTO results
SELECT category, AVG(highest)
FROM (
  SELECT a.id, a.category, MAX(b.price) AS highest
  FROM auction AS a
  JOIN bid AS b ON b.auction = a.id
  WHERE b.`dateTime` >= a.`dateTime` AND b.`dateTime` <= a.expires
  GROUP BY a.id, a.category
)
GROUP BY category;
