INSERT INTO texts SELECT page FROM (
  SELECT page, user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY viewed_at DESC) AS rn FROM page_views)
WHERE rn <= 1 AND page LIKE 'a%';
