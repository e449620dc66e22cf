INSERT INTO texts
SELECT page FROM page_views
UNION ALL
SELECT customer FROM orders;
