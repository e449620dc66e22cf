INSERT INTO numbers (big, number)
SELECT LAG(user_id, 3) OVER (PARTITION BY page ORDER BY viewed_at), LEAD(1, 2, 0) OVER (PARTITION BY page ORDER BY user_id DESC NULLS FIRST)
FROM page_views;
