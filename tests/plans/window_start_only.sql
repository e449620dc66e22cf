INSERT INTO texts
SELECT page FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))
GROUP BY window_start, page;
