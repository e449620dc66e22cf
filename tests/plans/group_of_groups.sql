INSERT INTO numbers (big)
SELECT AVG(views) FROM (SELECT page, COUNT(*) AS views FROM page_views GROUP BY page) GROUP BY views % 10 HAVING COUNT(DISTINCT page) > 2;
