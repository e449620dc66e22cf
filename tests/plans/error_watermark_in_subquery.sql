CREATE TEMPORARY TABLE pages (page STRING) WITH ('connector' = 'print');
INSERT INTO pages SELECT page FROM page_views AS v
WHERE EXISTS (SELECT 1 FROM page_views AS w WHERE w.viewed_at < CURRENT_WATERMARK(v.viewed_at));
