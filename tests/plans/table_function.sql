CREATE FUNCTION words AS 'words' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (page STRING, word STRING, length INT) WITH ('connector' = 'print');
CREATE TABLE counts (word STRING, n BIGINT) WITH ('connector' = 'print');
INSERT INTO out SELECT page, w, l FROM page_views, LATERAL TABLE(words(page)) AS t (w, l) WHERE l > 1;
INSERT INTO out SELECT p.page, t.word, t.length FROM page_views AS p LEFT JOIN LATERAL TABLE(words(UPPER(p.page))) AS t ON TRUE;
INSERT INTO out SELECT page, x.word, y.length FROM page_views
CROSS JOIN LATERAL TABLE(words(page)) AS x JOIN LATERAL TABLE(words(x.word)) AS y ON y.length > x.length;
INSERT INTO counts SELECT word, COUNT(*) FROM page_views, TABLE(words(page)) GROUP BY word;
