CREATE TABLE t (a TIMESTAMP(0)) WITH ('connector' = 'log');
