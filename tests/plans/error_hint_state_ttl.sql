INSERT INTO texts SELECT /*+ STATE_TTL('page_views' = '1d') */ page FROM page_views GROUP BY page;
