INSERT INTO texts
SELECT page FROM TABLE(HOP(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '4' SECOND, INTERVAL '10' SECOND))
GROUP BY window_start, window_end, page;
