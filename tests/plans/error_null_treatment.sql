INSERT INTO texts SELECT LAG(page) IGNORE NULLS OVER (ORDER BY viewed_at) FROM page_views;
