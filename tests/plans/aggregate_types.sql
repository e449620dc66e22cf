-- Flink's result types: SUM and AVG of INT are INT, of DECIMAL(10, 2) DECIMAL(38, …).
CREATE TABLE results (
  window_time TIMESTAMP_LTZ(3),
  customer STRING,
  total DECIMAL(38, 2),
  mean DECIMAL(38, 6),
  items INT,
  mean_items INT,
  mean_weight DOUBLE,
  first_shipped TIMESTAMP(3),
  paid BIGINT
) WITH ('connector' = 'log');
INSERT INTO results
SELECT window_time, UPPER(customer), SUM(price), AVG(price), SUM(quantity), AVG(quantity), AVG(weight), MIN(shipped),
       COUNT(*) FILTER (WHERE paid)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, window_time, UPPER(customer);
