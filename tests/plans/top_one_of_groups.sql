-- The number is always 1.
INSERT INTO numbers (big, number)
SELECT rn, 1 FROM (
  SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY views DESC) AS rn
  FROM (SELECT user_id, page, COUNT(*) AS views FROM page_views GROUP BY user_id, page))
WHERE rn = 1;
