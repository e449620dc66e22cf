CREATE TABLE out (page STRING) WITH ('connector' = 'print');
INSERT INTO out SELECT page FROM page_views
WHERE user_id IN (SELECT id FROM orders WHERE paid) AND page <> '';
-- Several values, and a subquery in a subquery.
INSERT INTO out SELECT page FROM page_views
WHERE (user_id, page) IN (SELECT id, customer FROM orders WHERE quantity IN (SELECT number FROM numbers));
