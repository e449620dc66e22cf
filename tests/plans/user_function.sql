CREATE FUNCTION count_char AS 'com.example.CountChar';
CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS halved AS 'half' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TEMPORARY FUNCTION default_catalog.default_database.tomorrow AS 'tomorrow' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (a BIGINT, b DOUBLE, c BIGINT, d BIGINT, t TIMESTAMP(3)) WITH ('connector' = 'print');
INSERT INTO out
SELECT COUNT_CHAR(page, 'c'), halved(1.5), halved(user_id), halved(CAST(NULL AS BIGINT)), tomorrow(viewed_at)
FROM page_views WHERE count_char(page, '/') > 1 AND page <> '';
-- In a key, in HAVING, and below an aggregation.
INSERT INTO out (a, c)
SELECT count_char(page, 'x'), SUM(halved(user_id)) FROM page_views GROUP BY count_char(page, 'x') HAVING halved(COUNT(*)) > 1;
