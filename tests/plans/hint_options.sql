INSERT INTO texts SELECT page
FROM page_views /*+ OPTIONS('scan.startup.mode' = 'earliest-offset') */;
