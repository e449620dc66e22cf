INSERT INTO texts SELECT customer FROM page_views AS p
LEFT JOIN LATERAL (SELECT customer FROM orders WHERE id = p.user_id) AS o ON p.user_id > 1;
