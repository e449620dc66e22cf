CREATE TABLE t (
  a ROW<b RAW('x', 'y')>
) WITH ('connector' = 'kafka');
