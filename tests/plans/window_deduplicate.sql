INSERT INTO texts
SELECT page FROM (
  SELECT page, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, page ORDER BY viewed_at DESC) AS rn
  FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND)))
WHERE rn = 1;
