CREATE TABLE t (
  a INT,
  o BIGINT METADATA FROM 'ofset'
) WITH ('connector' = 'kafka');
