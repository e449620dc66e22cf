SET 'table.exec.state.ttl' = '36 h';
CREATE TABLE counts (customer STRING, orders BIGINT) WITH ('connector' = 'print');
CREATE TABLE pairs (a BIGINT, b BIGINT) WITH ('connector' = 'print');
INSERT INTO counts SELECT customer, COUNT(*) FROM orders GROUP BY customer;
INSERT INTO pairs SELECT o.id, p.id FROM orders o JOIN orders p ON o.customer = p.customer;
