CREATE TABLE t (a INT, b STRING, r ROW<x INT, y STRING>) WITH ('connector' = 'kafka');
CREATE TABLE s (
  r ROW<a BIGINT, b STRING>, q ROW<x BIGINT, y VARCHAR(3)>, l ARRAY<BIGINT>, m MAP<STRING, INT>, x BIGINT, y STRING
) WITH ('connector' = 'blackhole');
INSERT INTO s
SELECT
  ROW(a, b),
  CAST(r AS ROW<x BIGINT, y VARCHAR(3)>),
  ARRAY[a, 2, 3000000000],
  MAP['k', a, b, 7],
  CAST(ROW(a, 1) AS ROW<p BIGINT, q STRING>).p,
  MAP[a, 'v'][1]
FROM t;
