INSERT INTO texts
SELECT pgae FROM page_views;
