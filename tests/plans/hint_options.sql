INSERT INTO texts /*+ OPTIONS('print-identifier' = 'pages') */ SELECT /*+ BROADCAST(p), MINE(1, 'x') */ page
FROM default_catalog.default_database.page_views /*+ OPTIONS('scan.startup.mode' = 'latest-offset', 'scan.watermark.idle-timeout' = '7 s') */ AS p;
INSERT INTO texts SELECT page FROM TABLE(TUMBLE(TABLE page_views /*+ OPTIONS('scan.startup.mode' = 'latest-offset', 'scan.watermark.idle-timeout' = '7 s') */, DESCRIPTOR(viewed_at), INTERVAL '1' MINUTE));
