CREATE TABLE s (a INT) PARTITIONED BY (a) WITH ('connector' = 'filesystem');
