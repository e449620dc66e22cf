INSERT INTO texts
SELECT page FROM (
  SELECT page, viewed_at, ROW_NUMBER() OVER (PARTITION BY page ORDER BY user_id) AS rn FROM page_views)
WHERE rn <= 2
GROUP BY page, TUMBLE(viewed_at, INTERVAL '10' SECOND);
