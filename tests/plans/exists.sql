CREATE TABLE out (page STRING) WITH ('connector' = 'print');
-- Names lead to the inner table first: `page` is that of `o`.
CREATE VIEW o AS SELECT id, customer AS page, quantity FROM orders;
INSERT INTO out SELECT page FROM page_views AS p
WHERE EXISTS (SELECT 1 FROM o WHERE o.id = user_id AND p.page <> page AND quantity > 1);
INSERT INTO out SELECT page FROM page_views AS p
WHERE NOT EXISTS (SELECT * FROM o WHERE o.id = p.user_id) AND EXISTS (SELECT * FROM numbers);
