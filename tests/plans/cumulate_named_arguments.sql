INSERT INTO page_counts
SELECT window_start, window_end, page, COUNT(*)
FROM TABLE(CUMULATE(
  DATA => TABLE page_views, TIMECOL => DESCRIPTOR(viewed_at),
  STEP => INTERVAL '1' HOUR, SIZE => INTERVAL '1' DAY, OFFSET => INTERVAL '-1' HOUR))
GROUP BY window_start, window_end, page;
