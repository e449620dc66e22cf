INSERT INTO texts SELECT customer FROM page_views AS p,
LATERAL (SELECT customer FROM orders WHERE id = p.user_id LIMIT 3) AS o;
