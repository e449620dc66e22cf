-- What is computed over rows by time keeps the time.
INSERT INTO numbers (big)
SELECT MAX(running) FROM (
  SELECT viewed_at, SUM(user_id) OVER (PARTITION BY page ORDER BY viewed_at) AS running FROM page_views)
GROUP BY TUMBLE(viewed_at, INTERVAL '1' MINUTE);
