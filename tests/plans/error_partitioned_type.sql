CREATE TABLE s (a INT, ts TIMESTAMP(3))
PARTITIONED BY (ts) WITH ('connector' = 'filesystem');
