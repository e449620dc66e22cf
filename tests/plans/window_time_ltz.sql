-- The window's time is of the type of the time that made it, also where rows name their windows.
INSERT INTO numbers (big)
SELECT SUM(bought) FROM (
  SELECT window_time AS t, bought FROM (
    SELECT window_start, window_end, window_time, customer, COUNT(*) AS bought
    FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, window_time, customer)
  GROUP BY window_start, window_end, window_time, bought)
GROUP BY TUMBLE(t, INTERVAL '1' MINUTE);
