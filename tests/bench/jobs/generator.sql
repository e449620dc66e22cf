-- Rows made in the source, discarded. For Flink the connector is tests/rival/page-views.
CREATE TABLE page_views (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH ('connector' = 'generator', 'kind' = 'page-views', 'number-of-rows' = '$events');
CREATE TABLE discarded (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH ('connector' = 'blackhole');
INSERT INTO discarded SELECT * FROM page_views;
