INSERT INTO texts SELECT REGEXP_REPLACE(page, '(?<=a)b', '') FROM page_views;
