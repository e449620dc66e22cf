INSERT INTO numbers (big) SELECT SUM(user_id) OVER v FROM page_views WINDOW w AS (ORDER BY viewed_at);
