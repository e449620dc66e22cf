INSERT INTO texts SELECT page FROM page_views FOR SYSTEM_TIME AS OF viewed_at;
