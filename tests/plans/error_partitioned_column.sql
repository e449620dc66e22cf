CREATE TABLE s (a INT, `day` STRING)
PARTITIONED BY (`day`, `hour`) WITH ('connector' = 'filesystem');
