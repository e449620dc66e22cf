INSERT INTO texts SELECT page FROM page_views WHERE viewed_at > TIMESTAMP '2023-02-29 00:00:00';
