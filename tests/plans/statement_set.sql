-- One source for both, one uid for each sink.
SET 'table.exec.source.idle-timeout' = '1 min';
EXECUTE STATEMENT SET BEGIN
INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(user_id)
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '1' DAY))
GROUP BY page, window_start, window_end;
INSERT INTO texts SELECT page || ':' || CAST(user_id AS STRING) FROM page_views WHERE user_id IS NOT NULL;
INSERT INTO texts SELECT 'seen' FROM page_views;
END;
