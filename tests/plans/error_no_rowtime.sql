INSERT INTO texts
SELECT customer FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(shipped), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, customer;
