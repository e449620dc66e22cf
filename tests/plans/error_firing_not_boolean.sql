SET 'table.exec.emit.early-fire.enabled' = 'yes';
INSERT INTO page_counts (page, views, window_end)
SELECT page, COUNT(*), TUMBLE_END(viewed_at, INTERVAL '1' MINUTE) FROM page_views
GROUP BY page, TUMBLE(viewed_at, INTERVAL '1' MINUTE);
