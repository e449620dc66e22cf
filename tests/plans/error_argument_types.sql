INSERT INTO texts SELECT UPPER(user_id) FROM page_views;
