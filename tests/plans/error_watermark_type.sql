CREATE TABLE t (
  a BIGINT,
  WATERMARK FOR a AS a - 5
) WITH ('connector' = 'kafka');
