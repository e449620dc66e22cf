-- A costly expression that is used twice is computed once.
INSERT INTO texts
SELECT line || line FROM (SELECT REGEXP_REPLACE(page, 'a', 'b') AS line FROM page_views);
