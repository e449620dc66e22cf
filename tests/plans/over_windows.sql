-- Calls over equal windows share an operator; others stand on it.
INSERT INTO numbers (big, number, real, exact)
SELECT
  COUNT(*) OVER w,
  SUM(quantity) OVER (w ROWS BETWEEN 10 PRECEDING AND CURRENT ROW),
  AVG(weight) OVER (PARTITION BY customer ORDER BY created RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW),
  MAX(price) OVER w + LAG(price, 2, 0) OVER w
FROM orders
WINDOW w AS (PARTITION BY customer ORDER BY created);
