SET 'table.local-time-zone' = 'Asia/Tokyo';
INSERT INTO texts SELECT L.page FROM
  (SELECT * FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '10' SECOND))) AS L
  JOIN (SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created), INTERVAL '10' SECOND))) AS R
  ON L.page = R.customer AND L.window_start = R.window_start AND L.window_end = R.window_end;
