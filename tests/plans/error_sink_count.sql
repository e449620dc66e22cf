INSERT INTO page_counts SELECT page, user_id FROM page_views;
