SET 'table.exec.emit.late-fire.enabled' = 'true';
SET 'table.exec.emit.late-fire.delay' = '2 s';
SET 'table.exec.emit.allow-lateness' = '1 s';
INSERT INTO page_counts (page, views, window_end)
SELECT page, COUNT(*), TUMBLE_END(viewed_at, INTERVAL '1' MINUTE) FROM page_views
GROUP BY page, TUMBLE(viewed_at, INTERVAL '1' MINUTE);
