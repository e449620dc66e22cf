INSERT INTO texts SELECT a FROM page_views MATCH_RECOGNIZE (
  PARTITION BY page ORDER BY viewed_at
  MEASURES A.page AS a 
  PATTERN (A B $)
  DEFINE A AS user_id > 1);
