INSERT INTO texts
SELECT page
FROM TABLE(SESSION(TABLE page_views PARTITION BY page, DESCRIPTOR(viewed_at), INTERVAL '4' SECOND))
GROUP BY window_start, window_end, ROLLUP (page);
