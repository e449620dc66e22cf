CREATE FUNCTION f AS 'half' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');
INSERT INTO out SELECT f(page) FROM page_views;
