INSERT INTO numbers (big) SELECT COUNT(*) + GROUPING(page) FROM page_views GROUP BY (page, user_id);
