-- Rows that come first stay, so they can be put into windows.
INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(*)
FROM TABLE(TUMBLE((SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY page, user_id ORDER BY PROCTIME()) AS rn FROM page_views)
  WHERE rn < 2), DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, page;
