INSERT INTO texts SELECT page FROM page_views WHERE ROW_NUMBER() OVER (ORDER BY page) <= 3;
