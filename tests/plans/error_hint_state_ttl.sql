INSERT INTO texts SELECT /*+ STATE_TTL('pages' = '1d') */ page FROM page_views GROUP BY page;
