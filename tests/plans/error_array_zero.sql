CREATE TABLE t (a ARRAY<STRING>) WITH ('connector' = 'kafka');
CREATE TABLE s (a STRING) WITH ('connector' = 'print');
INSERT INTO s SELECT a[0] FROM t;
