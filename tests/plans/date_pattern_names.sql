INSERT INTO texts SELECT DATE_FORMAT(viewed_at, 'EEE') FROM page_views;
