INSERT INTO page_counts (page, views, window_end)
SELECT page, SUM(user_id) FILTER (WHERE user_id > 5), window_end
FROM HOP(DATA => TABLE page_views, TIMECOL => DESCRIPTOR(viewed_at),
         SLIDE => INTERVAL '5' SECOND, SIZE => INTERVAL '1' MINUTE, OFFSET => INTERVAL '-2' SECOND)
WHERE page LIKE '/shop/%'
GROUP BY page, window_start, window_end
HAVING COUNT(*) > 3 AND page <> '/shop/health' AND window_start > TIMESTAMP '2024-01-01 00:00:00';
