CREATE TABLE t (a BIGINT) WITH ('topic' = 'x');
