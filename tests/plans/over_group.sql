INSERT INTO numbers (big, number)
SELECT SUM(COUNT(*)) OVER (ORDER BY window_time), LAST_VALUE(CAST(page AS INT)) OVER (ORDER BY window_time ROWS 2 PRECEDING)
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time, page;
