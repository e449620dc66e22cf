INSERT INTO texts
SELECT v.page FROM (SELECT *, PROCTIME() AS now FROM page_views) AS v
JOIN orders FOR SYSTEM_TIME AS OF v.now AS o ON o.customer = v.page;
