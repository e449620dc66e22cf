INSERT INTO texts
SELECT page FROM (
  SELECT page, viewed_at, ROW_NUMBER() OVER (PARTITION BY page ORDER BY user_id) AS rn FROM page_views)
WHERE rn <= 2
ORDER BY viewed_at;
