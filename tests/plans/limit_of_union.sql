INSERT INTO texts (SELECT page FROM page_views LIMIT 5) UNION ALL (SELECT customer FROM orders LIMIT 2 OFFSET 1);
