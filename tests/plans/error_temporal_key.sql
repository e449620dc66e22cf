INSERT INTO texts
SELECT p.page FROM page_views AS p JOIN orders FOR SYSTEM_TIME AS OF p.viewed_at AS o ON o.customer = p.page;
