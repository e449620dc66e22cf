CREATE TABLE views (page STRING, user_id BIGINT, `day` STRING, `hour` INT) PARTITIONED BY (`day`, `hour`) WITH (
  'connector' = 'filesystem', 'path' = 's3://views/all', 'format' = 'json',
  'sink.partition-commit.trigger' = 'partition-time', 'sink.partition-commit.policy.kind' = 'success-file',
  'partition.time-extractor.timestamp-pattern' = '$day $hour:00:00');
-- All parts are told by the rows, or some by the statement.
INSERT INTO views SELECT page, user_id, DATE_FORMAT(viewed_at, 'yyyy-MM-dd'), CAST(EXTRACT(HOUR FROM viewed_at) AS INT) FROM page_views;
INSERT INTO views PARTITION (`day` = '2026-01-02') SELECT page, user_id, CAST(EXTRACT(HOUR FROM viewed_at) AS INT) FROM page_views;
INSERT INTO views PARTITION (`day` = '2026-01-02', `hour` = 7) (page) SELECT page FROM page_views;
CREATE TABLE copies LIKE views (OVERWRITING OPTIONS);
INSERT INTO copies SELECT page, user_id, 'x', 1 FROM page_views;
CREATE TABLE flat WITH ('path' = 's3://views/flat') LIKE views (EXCLUDING PARTITIONS);
INSERT INTO flat SELECT page, user_id, 'x', 1 FROM page_views;
