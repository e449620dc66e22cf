INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(DISTINCT user_id)
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, ROLLUP (page);
