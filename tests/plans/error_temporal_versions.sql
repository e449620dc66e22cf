INSERT INTO texts
SELECT p.page FROM page_views AS p JOIN numbers FOR SYSTEM_TIME AS OF p.viewed_at AS n ON n.big = p.user_id;
