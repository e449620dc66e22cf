INSERT INTO page_counts
SELECT TUMBLE_START(viewed_at, INTERVAL '10' SECOND), TUMBLE_END(viewed_at, INTERVAL '10' SECOND), page, user_id
FROM page_views
GROUP BY TUMBLE(viewed_at, INTERVAL '10' SECOND), CUBE (page, user_id)
HAVING GROUPING(user_id) = 0;
