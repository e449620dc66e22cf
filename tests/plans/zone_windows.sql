SET 'table.local-time-zone' = 'America/New_York';
CREATE TABLE counted (day_start TIMESTAMP(3), day_end TIMESTAMP(3), customer STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO counted SELECT window_start, window_end, customer, COUNT(*)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created), INTERVAL '1' DAY)) GROUP BY window_start, window_end, customer;
INSERT INTO counted SELECT TUMBLE_START(created, INTERVAL '1' DAY), TUMBLE_END(created, INTERVAL '1' DAY), DATE_FORMAT(TUMBLE_ROWTIME(created, INTERVAL '1' DAY), 'dd'), COUNT(*)
FROM orders GROUP BY TUMBLE(created, INTERVAL '1' DAY);
