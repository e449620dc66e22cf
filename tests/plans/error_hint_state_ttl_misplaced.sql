INSERT INTO texts SELECT page FROM page_views /*+ STATE_TTL('page_views' = '10 min') */;
