INSERT INTO texts
SELECT p.page FROM page_views AS p JOIN orders FOR SYSTEM_TIME AS OF o.created AS o ON o.id = p.user_id;
