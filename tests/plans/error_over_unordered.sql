INSERT INTO numbers (big) SELECT SUM(user_id) OVER (PARTITION BY page) FROM page_views;
