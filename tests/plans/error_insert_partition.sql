CREATE TABLE s (a BIGINT, b INT) WITH ('connector' = 'print');
INSERT INTO s PARTITION (b = 'de') SELECT id FROM orders;
