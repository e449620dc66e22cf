INSERT INTO texts SELECT CASE WHEN user_id > 1 THEN 'a' ELSE 1 END FROM page_views;
