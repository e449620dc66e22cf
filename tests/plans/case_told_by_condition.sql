CREATE TABLE kinds (kind INT, name STRING, a ROW<x INT, y STRING, z INT>, b ROW<x INT, y STRING>) WITH ('connector' = 'kafka', 'format' = 'json');
INSERT INTO texts
SELECT CASE WHEN kind = 1 THEN a.y WHEN kind = 2 THEN b.y WHEN name = 'c' THEN 'never' END FROM kinds WHERE kind = 2 AND a.x > 0;
INSERT INTO texts
SELECT CASE WHEN kind = 1 THEN 'never' WHEN name = 'c' THEN 'some' ELSE b.y END FROM kinds WHERE kind = 2;
INSERT INTO texts
SELECT CASE WHEN kind = 1 THEN 'never' END FROM kinds WHERE kind = 2;
