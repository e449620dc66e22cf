CREATE TABLE results (
  a INT, b DOUBLE, c DECIMAL(38, 6), d FLOAT, e STRING, f TIMESTAMP(3), g STRING, h STRING, i BIGINT
) WITH ('connector' = 'log');
INSERT INTO results
SELECT STDDEV_POP(quantity), STDDEV(weight), VAR_POP(price), CAST(VARIANCE(weight) AS FLOAT), FIRST_VALUE(customer),
  LAST_VALUE(shipped), LISTAGG(customer), LISTAGG(DISTINCT customer, '; ') FILTER (WHERE paid),
  APPROX_COUNT_DISTINCT(customer)
FROM orders GROUP BY paid;
