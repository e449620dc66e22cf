CREATE TABLE out (page STRING, customer STRING, total DOUBLE) WITH ('connector' = 'print');
INSERT INTO out SELECT page, c, w FROM page_views AS p,
LATERAL (SELECT UPPER(customer), weight * p.user_id FROM orders WHERE id = p.user_id AND paid) AS o (c, w);
INSERT INTO out SELECT page, o.customer, two FROM page_views AS p
LEFT JOIN LATERAL (SELECT customer, 2e0 AS two FROM orders WHERE id = p.user_id) AS o ON TRUE;
