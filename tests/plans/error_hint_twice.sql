INSERT INTO texts SELECT page FROM page_views;
INSERT INTO texts SELECT page FROM page_views /*+ OPTIONS('scan.startup.mode' = 'latest-offset') */;
