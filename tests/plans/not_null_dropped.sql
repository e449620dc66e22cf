SET 'table.exec.sink.not-null-enforcer' = 'DROP';
CREATE TABLE strict_numbers (n BIGINT NOT NULL, m BIGINT NOT NULL, k BIGINT) WITH ('connector' = 'log');
INSERT INTO strict_numbers SELECT id, created_ms, quantity FROM orders;
INSERT INTO strict_numbers SELECT id, COUNT(*), 3 FROM orders GROUP BY id;
