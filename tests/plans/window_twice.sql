INSERT INTO page_counts
SELECT window_start, window_end, 'most', MAX(views)
FROM (
  SELECT page, window_start, window_end, COUNT(*) AS views
  FROM TABLE(HOP(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY page, window_start, window_end
)
GROUP BY window_start, window_end;
