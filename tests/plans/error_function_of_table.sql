CREATE FUNCTION words AS 'words' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');
INSERT INTO out SELECT words(page) FROM page_views;
