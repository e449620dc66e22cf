CREATE TEMPORARY TABLE pages (page STRING) WITH ('connector' = 'print');
INSERT INTO pages SELECT page FROM page_views MATCH_RECOGNIZE (
  PARTITION BY user_id ORDER BY viewed_at MEASURES A.page AS page
  PATTERN (A) DEFINE A AS A.viewed_at > CURRENT_WATERMARK(A.viewed_at)
);
