SET 'table.local-time-zone' = 'PST';
INSERT INTO texts SELECT page FROM page_views;
