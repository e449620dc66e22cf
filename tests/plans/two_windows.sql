-- Windows over the results of windows: window_time carries the watermark on.
CREATE VIEW per_page AS
SELECT window_time AS t, page, COUNT(*) AS views
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, window_time, page;
INSERT INTO page_counts
SELECT window_start, window_end, page, MAX(views)
FROM TABLE(TUMBLE(TABLE per_page, DESCRIPTOR(t), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, page;
