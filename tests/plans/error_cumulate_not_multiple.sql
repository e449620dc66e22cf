INSERT INTO texts
SELECT page FROM TABLE(CUMULATE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '4' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end, page;
