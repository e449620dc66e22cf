-- The mean of a seller's last winning prices: an OVER aggregate on input that changes. Flink refuses it.
CREATE TABLE results (
  seller BIGINT,
  mean_price BIGINT
) WITH ($sink);
INSERT INTO results
SELECT seller, AVG(price) OVER (PARTITION BY seller ORDER BY `dateTime` ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
FROM (
  SELECT id, seller, price, `dateTime`
  FROM (
    SELECT a.id, a.seller, b.price, b.`dateTime`,
      ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) AS place
    FROM auction AS a
    JOIN bid AS b ON b.auction = a.id
    WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  )
  WHERE place = 1
);
