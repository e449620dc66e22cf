INSERT INTO texts SELECT /*+ STATE_TTL('page_views' = '10 min') */ page FROM page_views;
