INSERT INTO numbers (big)
SELECT COUNT(*) AS views FROM page_views GROUP BY page ORDER BY SUM(user_id) DESC, 1 LIMIT 10 OFFSET 5;
