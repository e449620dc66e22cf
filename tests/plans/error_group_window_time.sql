INSERT INTO texts
SELECT customer FROM orders
GROUP BY customer, TUMBLE(shipped, INTERVAL '10' SECOND);
