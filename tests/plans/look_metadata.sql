CREATE TABLE clicks (
  at TIMESTAMP(3) METADATA FROM 'timestamp',
  page STRING,
  `offset` BIGINT NOT NULL METADATA VIRTUAL,
  hour_of AS FLOOR(at TO HOUR),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json');
DESCRIBE clicks;
SHOW CREATE TABLE clicks;
