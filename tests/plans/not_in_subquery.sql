CREATE TABLE out (page STRING) WITH ('connector' = 'print');
CREATE TABLE known (id BIGINT NOT NULL) WITH ('connector' = 'log');
-- Either may be NULL, one of them, none.
INSERT INTO out SELECT page FROM page_views WHERE user_id NOT IN (SELECT big FROM numbers);
INSERT INTO out SELECT page FROM page_views WHERE NOT (user_id IN (SELECT id FROM orders));
INSERT INTO out SELECT customer FROM orders WHERE id NOT IN (SELECT id FROM known);
