INSERT INTO texts SELECT customer FROM orders
GROUP BY CUBE (customer, paid, id, price, quantity, weight, created_ms, shipped), CUBE (customer, paid, id);
