-- Subqueries, views and conditions become one calculation.
CREATE TEMPORARY VIEW busy (p, u) AS SELECT page, user_id FROM page_views WHERE user_id > 10;
INSERT INTO texts
WITH named AS (SELECT UPPER(p) AS line, u FROM busy)
SELECT n.line FROM (SELECT * FROM named) AS n WHERE n.u < 20 AND n.u <> 15;
