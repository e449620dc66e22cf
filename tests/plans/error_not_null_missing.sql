CREATE TABLE strict_numbers (n BIGINT NOT NULL, m BIGINT) WITH ('connector' = 'log');
INSERT INTO strict_numbers (m) SELECT id FROM orders;
