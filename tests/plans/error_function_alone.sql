CREATE FUNCTION words AS 'words' LANGUAGE WASM USING FILE 'module.wasm';
CREATE TABLE out (n STRING) WITH ('connector' = 'print');
INSERT INTO out SELECT word FROM LATERAL TABLE(words('a b')) AS t;
