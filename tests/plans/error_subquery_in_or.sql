INSERT INTO texts SELECT page FROM page_views
WHERE page = 'a' OR user_id IN (SELECT id FROM orders);
