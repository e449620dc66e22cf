-- Kafka JSON, page views counted per page in tumbling windows of ten seconds of event time, Kafka JSON.
CREATE TABLE page_views (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT,
  WATERMARK FOR viewed_at AS viewed_at - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '$topic',
  'properties.bootstrap.servers' = '$broker',
  'properties.group.id' = 'bench',
  'scan.startup.mode' = 'earliest-offset',
  $bounded,
  'format' = 'json'
);
CREATE TABLE page_counts (
  window_start TIMESTAMP(3),
  page STRING,
  view_count BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '$output',
  'properties.bootstrap.servers' = '$broker',
  'properties.transaction.timeout.ms' = '600000',
  'sink.delivery-guarantee' = '$guarantee',
  'sink.transactional-id-prefix' = '$output',
  'format' = 'json'
);
INSERT INTO page_counts
SELECT window_start, page, COUNT(*)
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, page;
