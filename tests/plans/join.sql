INSERT INTO texts
SELECT p.page FROM page_views AS p
JOIN orders AS o ON o.id = p.user_id;
