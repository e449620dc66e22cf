-- Kafka JSON, a filter that keeps half of the rows, discarded.
CREATE TABLE page_views (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '$topic',
  'properties.bootstrap.servers' = '$broker',
  'properties.group.id' = 'bench',
  'scan.startup.mode' = 'earliest-offset',
  $bounded,
  'format' = 'json'
);
CREATE TABLE discarded (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH ('connector' = 'blackhole');
INSERT INTO discarded SELECT page, user_id, viewed_at, referrer, duration_ms FROM page_views WHERE duration_ms >= 30000;
