CREATE VIEW last_views AS SELECT page, MAX(user_id) AS user_id FROM page_views GROUP BY page;
INSERT INTO texts SELECT a FROM last_views MATCH_RECOGNIZE (
  ORDER BY user_id MEASURES A.page AS a PATTERN (A) DEFINE A AS user_id > 1);
