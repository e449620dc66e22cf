INSERT INTO page_counts
SELECT window_start, window_end, 'all', COUNT(*)
FROM TABLE(SESSION(TABLE orders, DESCRIPTOR(created), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, window_time;
