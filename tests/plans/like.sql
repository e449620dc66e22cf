CREATE TABLE base (
  id BIGINT, at TIMESTAMP(3), day_of AS CAST(at AS DATE),
  WATERMARK FOR at AS at - INTERVAL '1' SECOND, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'kafka', 'topic' = 'a', 'format' = 'json');
CREATE TABLE other (name STRING) WITH ('topic' = 'b') LIKE base;
CREATE TABLE bare (WATERMARK FOR at AS at) WITH ('connector' = 'generator')
LIKE base (EXCLUDING ALL INCLUDING GENERATED);
CREATE TABLE sink WITH ('connector' = 'print') LIKE base (EXCLUDING ALL);
CREATE TABLE cataloged LIKE page_views (OVERWRITING OPTIONS);
INSERT INTO sink SELECT id, at FROM other WHERE name = 'x' AND day_of > DATE '2020-01-01';
INSERT INTO sink SELECT id, at FROM bare WHERE day_of > DATE '2020-01-01';
INSERT INTO texts SELECT page FROM cataloged;
