-- Metadata is read beside what is stored, cast to what is declared, and can be what time goes by.
CREATE TABLE clicks (
  at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  page STRING,
  `partition` BIGINT METADATA VIRTUAL,
  `offset` BIGINT NOT NULL METADATA VIRTUAL COMMENT 'where it stands',
  headers MAP<STRING, BYTES> METADATA,
  trace AS CAST(headers['trace'] AS STRING),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json');
CREATE TABLE counts (`partition` BIGINT, closed TIMESTAMP_LTZ(3), clicks BIGINT, trace STRING) WITH ('connector' = 'print');
INSERT INTO counts
SELECT `partition`, window_time, COUNT(*), MAX(trace)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' MINUTE))
GROUP BY `partition`, window_start, window_end, window_time;
