-- The row after has not come yet, so the result changes when it comes.
INSERT INTO texts
SELECT CONCAT(FIRST_VALUE(page) OVER w, LEAD(page) OVER w) FROM page_views
WINDOW w AS (PARTITION BY user_id ORDER BY viewed_at);
