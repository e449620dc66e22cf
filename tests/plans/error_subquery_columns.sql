INSERT INTO texts SELECT page FROM page_views
WHERE user_id IN (SELECT id, customer FROM orders);
