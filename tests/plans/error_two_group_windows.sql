INSERT INTO texts
SELECT page FROM page_views
GROUP BY page, TUMBLE(viewed_at, INTERVAL '1' DAY), TUMBLE(viewed_at, INTERVAL '2' DAY);
