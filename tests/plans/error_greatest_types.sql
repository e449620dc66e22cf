INSERT INTO texts SELECT GREATEST(page, 1) FROM page_views;
