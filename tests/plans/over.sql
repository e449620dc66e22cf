INSERT INTO numbers (big) SELECT SUM(user_id) OVER (PARTITION BY page ORDER BY viewed_at) FROM page_views;
