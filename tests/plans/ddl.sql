CREATE TABLE clicks (
  id BIGINT,
  `the user` STRING NOT NULL COMMENT 'who',
  at TIMESTAMP(3),
  day_of AS CAST(at AS DATE) COMMENT 'computed',
  price DECIMAL(10, 2),
  PRIMARY KEY (id) NOT ENFORCED,
  WATERMARK FOR at AS at - INTERVAL '0.5' SECOND
) COMMENT 'clicks' WITH ('connector' = 'generator', 'rows-per-second' = '10');
CREATE TEMPORARY TABLE days (day_of DATE, buyer STRING, spent DOUBLE) WITH ('connector' = 'log');
INSERT INTO default_catalog.default_database.days
SELECT day_of, c.`the user`, price FROM clicks AS c WHERE day_of >= DATE '2024-01-01';
