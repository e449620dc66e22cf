CREATE TABLE t (a MAP<STRING, INT>) WITH ('connector' = 'kafka');
CREATE TABLE s (a INT) WITH ('connector' = 'print');
INSERT INTO s SELECT a[1] FROM t;
