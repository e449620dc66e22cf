CREATE TABLE texts (a BIGINT) WITH ('connector' = 'log');
