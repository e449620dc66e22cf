INSERT INTO texts
SELECT page page2 page3 FROM page_views;
