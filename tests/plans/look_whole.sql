INSERT INTO texts SELECT page FROM page_views;
