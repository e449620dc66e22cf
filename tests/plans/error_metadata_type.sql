CREATE TABLE t (a INT, `timestamp` BIGINT METADATA) WITH ('connector' = 'kafka');
