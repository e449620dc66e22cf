INSERT INTO numbers (big, number)
SELECT SUM(quantity), CAST(GROUPING(customer) * 10 + GROUPING_ID(customer, paid) AS INT)
FROM orders
GROUP BY GROUPING SETS ((customer, paid), (customer), ());
