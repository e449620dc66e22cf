INSERT INTO page_counts
SELECT window_start, window_end, page, views FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY views DESC) AS rn FROM (
    SELECT window_start, window_end, page, COUNT(*) AS views
    FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, page))
WHERE rn <= 3;
