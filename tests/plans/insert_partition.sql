CREATE TABLE s (a BIGINT, country STRING, b INT) WITH ('connector' = 'print');
INSERT INTO s PARTITION (country = 'nl') SELECT id, quantity FROM orders;
INSERT INTO s PARTITION (country = 'de', b = 3) (a) SELECT id FROM orders;
