INSERT INTO texts
SELECT p.page FROM page_views AS p FULL JOIN orders FOR SYSTEM_TIME AS OF p.viewed_at AS o ON o.id = p.user_id;
