INSERT INTO numbers (big) SELECT GROUPING(paid) FROM orders GROUP BY ROLLUP (customer);
