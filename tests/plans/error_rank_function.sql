INSERT INTO numbers (big) SELECT rn FROM (
  SELECT RANK() OVER (PARTITION BY page ORDER BY user_id) AS rn FROM page_views)
WHERE rn < 3;
