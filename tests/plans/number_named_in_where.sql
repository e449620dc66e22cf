INSERT INTO texts
SELECT customer
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY o.customer, o.price ORDER BY o.id DESC) AS place
  FROM (SELECT o.id, o.customer, o.price, quantity FROM orders AS o WHERE quantity > 1)
  WHERE place <= 2 AND (customer <> 'nobody')
);
