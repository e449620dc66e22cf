CREATE TABLE out (name STRING, number BIGINT) WITH ('connector' = 'log');
INSERT INTO out VALUES ('a', 1), ('b', NULL), (UPPER('c'), 1 + 2);
INSERT INTO out (number) SELECT 1 WHERE 2 > 1;
INSERT INTO out SELECT v.name, p.user_id FROM page_views AS p
JOIN (VALUES (1, 'a', TRUE), (2, 'b', TRUE)) AS v (id, name, on_) ON v.id = p.user_id AND on_;
-- A row that is compared with.
INSERT INTO texts SELECT page FROM page_views WHERE user_id IN (VALUES (1), (2));
