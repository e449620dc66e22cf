INSERT INTO texts SELECT tag FROM page_views CROSS JOIN UNNEST(page) AS t (tag);
