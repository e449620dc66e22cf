-- A condition on the key alone may stand between the sessions and their aggregation.
INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(*) FROM (
  SELECT page, window_start, window_end, window_time
  FROM TABLE(SESSION(DATA => TABLE page_views PARTITION BY (page), TIMECOL => DESCRIPTOR(viewed_at), GAP => INTERVAL '1' MINUTE))
  WHERE page <> '/')
GROUP BY window_start, window_end, window_time, page;
