CREATE TABLE rates (currency STRING, rate DECIMAL(10, 4), valid_from TIMESTAMP(3), factor AS rate * 2,
  WATERMARK FOR valid_from AS valid_from, PRIMARY KEY (currency) NOT ENFORCED) WITH ('connector' = 'log');
CREATE TABLE out (page STRING, rate DECIMAL(10, 4)) WITH ('connector' = 'log');
INSERT INTO out
SELECT p.page, r.rate FROM page_views AS p
LEFT JOIN rates FOR SYSTEM_TIME AS OF p.viewed_at AS r ON r.currency = UPPER(p.page) AND r.factor > 1 AND p.user_id > 5
WHERE p.user_id < 100;
-- The time of the left row is a time attribute of the result.
INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(*) FROM TABLE(TUMBLE(
  (SELECT page, viewed_at FROM page_views JOIN rates FOR SYSTEM_TIME AS OF viewed_at ON currency = page),
  DESCRIPTOR(viewed_at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, page;
