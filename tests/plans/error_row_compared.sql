CREATE TABLE t (r ROW<name STRING, age INT>) WITH ('connector' = 'kafka');
CREATE TABLE s (a STRING) WITH ('connector' = 'print');
INSERT INTO s SELECT r.name FROM t WHERE r = ROW('a', 1);
