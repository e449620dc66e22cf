CREATE TABLE t (
  id BIGINT,
  person ROW<name STRING, `address` ROW<city STRING NOT NULL, zip INT> NOT NULL, at TIMESTAMP(3)>,
  tags ARRAY<STRING>,
  counts MAP<STRING, BIGINT>,
  words MULTISET<STRING>,
  older INT ARRAY,
  seen AS person.at,
  WATERMARK FOR seen AS seen - INTERVAL '4' SECOND
) WITH ('connector' = 'kafka');
CREATE TABLE s (
  name STRING, city STRING, zip INT, first_tag STRING, n BIGINT, tags INT, longer BIGINT
) WITH ('connector' = 'blackhole');
INSERT INTO s
SELECT t.person.name, person.address.city, p.zip, tags[1], counts['a'], CARDINALITY(t.words), t.older[id - 1 + 2]
FROM (SELECT *, person.address AS p FROM t) AS t
WHERE t.person.address.zip > 10 AND CARDINALITY(tags) > 0;
