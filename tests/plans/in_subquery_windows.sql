-- Rows of the same window: a window semi-join, whose result only grows.
INSERT INTO texts
SELECT l.page FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '1' MINUTE)) AS l
WHERE l.user_id IN (
  SELECT id FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created), INTERVAL '1' MINUTE)) AS r
  WHERE l.window_start = r.window_start AND l.window_end = r.window_end);
