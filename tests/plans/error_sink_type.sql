INSERT INTO numbers (number)
SELECT user_id FROM page_views;
