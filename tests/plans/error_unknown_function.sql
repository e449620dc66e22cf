INSERT INTO texts SELECT SUBSTRNG(page, 1)
FROM page_views;
