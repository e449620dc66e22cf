CREATE TABLE t (a BIGINT, o BIGINT METADATA FROM offset VIRTUAL) WITH ('connector' = 'kafka');
