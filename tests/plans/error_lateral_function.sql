INSERT INTO texts SELECT word FROM page_views AS p, LATERAL TABLE(SPLIT(page)) AS w (word);
