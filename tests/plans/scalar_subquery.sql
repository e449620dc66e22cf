CREATE TABLE out (page STRING, views BIGINT) WITH ('connector' = 'print');
INSERT INTO out SELECT page, user_id FROM page_views
WHERE user_id > (SELECT AVG(id) FROM orders WHERE paid) OR page = (SELECT MAX(line) FROM texts);
INSERT INTO out SELECT page, COUNT(*) FROM page_views GROUP BY page
HAVING COUNT(*) > (SELECT COUNT(*) FROM orders) AND page IN (SELECT customer FROM orders);
