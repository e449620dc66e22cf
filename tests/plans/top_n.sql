INSERT INTO texts
SELECT CONCAT(CAST(rn AS STRING), page) FROM (
  SELECT page, ROW_NUMBER() OVER (PARTITION BY page ORDER BY user_id DESC) AS rn FROM page_views)
WHERE rn <= 3 AND page <> '';
