CREATE FUNCTION f AS 'half' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');
INSERT INTO out SELECT n FROM page_views, LATERAL TABLE(f(user_id)) AS t (n);
