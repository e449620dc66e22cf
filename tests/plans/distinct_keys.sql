-- Keys without aggregates.
INSERT INTO texts SELECT page FROM TUMBLE(page_views, DESCRIPTOR(viewed_at), INTERVAL '1' MINUTE)
GROUP BY window_start, window_end, page;
