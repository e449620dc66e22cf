INSERT INTO numbers (big) SELECT ROW_NUMBER() OVER (PARTITION BY page ORDER BY viewed_at) FROM page_views;
