CREATE TABLE t (a INT, r ROW<x INT, y STRING>) WITH ('connector' = 'kafka');
CREATE TABLE s (x INT, y STRING) WITH ('connector' = 'print');
INSERT INTO s SELECT r.* FROM t;
INSERT INTO s SELECT t.r.* FROM t;
INSERT INTO s SELECT r.x, r.y FROM t GROUP BY r.x, r.y;
