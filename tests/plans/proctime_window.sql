CREATE TABLE clicks (url STRING, seen AS PROCTIME()) WITH ('connector' = 'kafka');
INSERT INTO page_counts
SELECT window_start, window_end, url, COUNT(*)
FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(seen), INTERVAL '5' SECOND, INTERVAL '10' SECOND, INTERVAL '1' SECOND))
GROUP BY window_start, window_end, url;
