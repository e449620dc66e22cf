INSERT INTO texts
SELECT customer FROM (SELECT customer, ROW_NUMBER() OVER (PARTITION BY customer ORDER BY id) AS quantity FROM orders WHERE quantity <= 2);
