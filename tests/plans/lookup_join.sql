CREATE TABLE pages (page STRING, owner STRING, weight INT, label AS CONCAT(page, '/', owner)) WITH (
  'connector' = 'filesystem', 'path' = 's3://tables/pages', 'format' = 'csv',
  'lookup.full-cache.periodic-reload.interval' = '10 min');
CREATE TABLE out (page STRING, owner STRING) WITH ('connector' = 'log');
-- Columns that nobody reads are not carried along, and what is said of left rows alone is tested before.
INSERT INTO out
SELECT v.page, p.label FROM (SELECT *, PROCTIME() AS now FROM page_views) AS v
JOIN pages FOR SYSTEM_TIME AS OF v.now AS p ON UPPER(v.page) = p.page AND p.weight > v.user_id
WHERE v.user_id < 100;
INSERT INTO out
SELECT page, label FROM (SELECT page AS viewed, COUNT(*) AS views, PROCTIME() AS now FROM page_views GROUP BY page)
LEFT JOIN pages FOR SYSTEM_TIME AS OF now ON viewed = page;
