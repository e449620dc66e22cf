CREATE TABLE t (
  a ROW<b INT>
) WITH ('connector' = 'kafka');
