INSERT INTO texts SELECT page
FROM (SELECT page FROM page_views) AS p /*+ OPTIONS('scan.startup.mode' = 'latest-offset') */;
