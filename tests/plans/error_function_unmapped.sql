CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');
CREATE FUNCTION count_char AS 'com.example.Other';
INSERT INTO out SELECT count_char(page, 'c') FROM page_views;
