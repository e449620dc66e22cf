INSERT INTO texts SELECT page FROM page_views LIMIT 10 + 1;
