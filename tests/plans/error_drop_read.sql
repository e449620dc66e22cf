CREATE TABLE t (a INT) WITH ('connector' = 'generator');
CREATE TABLE s (a INT) WITH ('connector' = 'print');
INSERT INTO s SELECT a FROM t;
DROP TABLE t;
CREATE TABLE t (a INT, b INT) WITH ('connector' = 'generator');
