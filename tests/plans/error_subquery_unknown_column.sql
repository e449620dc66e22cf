INSERT INTO texts SELECT page FROM page_views
WHERE EXISTS (SELECT 1 FROM orders WHERE id = usr_id);
