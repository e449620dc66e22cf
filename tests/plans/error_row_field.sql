CREATE TABLE t (r ROW<name STRING, age INT>) WITH ('connector' = 'kafka');
CREATE TABLE s (a STRING) WITH ('connector' = 'print');
INSERT INTO s SELECT t.r.nam FROM t;
