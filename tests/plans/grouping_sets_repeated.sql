-- The same set twice gives its rows twice.
INSERT INTO numbers (big) SELECT SUM(user_id) FROM page_views GROUP BY page, GROUPING SETS ((user_id), (user_id), page);
