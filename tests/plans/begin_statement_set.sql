BEGIN STATEMENT SET;
INSERT INTO texts SELECT page FROM page_views;
INSERT INTO texts SELECT customer FROM orders;
END;
