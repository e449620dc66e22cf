INSERT INTO numbers (big) SELECT COUNT(*) FROM page_views;
