CREATE TABLE t (
  a INT,
  o BIGINT METADATA FROM 'offset'
) WITH ('connector' = 'kafka');
