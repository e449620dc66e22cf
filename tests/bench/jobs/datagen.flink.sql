-- The same columns from Flink's own datagen, discarded. For comparison only: it draws strings character by character.
CREATE TABLE page_views (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH (
  'connector' = 'datagen',
  'number-of-rows' = '$events',
  'rows-per-second' = '1000000000',
  'fields.page.length' = '14',
  'fields.referrer.length' = '24',
  'fields.user_id.min' = '0', 'fields.user_id.max' = '999999',
  'fields.duration_ms.min' = '0', 'fields.duration_ms.max' = '59999'
);
CREATE TABLE discarded (
  page STRING,
  user_id BIGINT,
  viewed_at TIMESTAMP(3),
  referrer STRING,
  duration_ms BIGINT
) WITH ('connector' = 'blackhole');
INSERT INTO discarded SELECT * FROM page_views;
