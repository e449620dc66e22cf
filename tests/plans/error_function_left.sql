CREATE FUNCTION words AS 'words' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (n STRING) WITH ('connector' = 'print');
INSERT INTO out SELECT word FROM page_views LEFT JOIN LATERAL TABLE(words(page)) AS t ON word = page;
