CREATE TABLE strict_numbers (n BIGINT NOT NULL, m BIGINT NOT NULL) WITH ('connector' = 'log');
INSERT INTO strict_numbers SELECT id, created_ms FROM orders;
