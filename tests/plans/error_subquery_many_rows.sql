INSERT INTO texts SELECT page FROM page_views
WHERE user_id = (SELECT id FROM orders);
