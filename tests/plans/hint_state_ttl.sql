CREATE TABLE changes (line STRING) WITH ('connector' = 'print');
INSERT INTO changes SELECT /*+ STATE_TTL('v' = '1d', 'o' = '12 h') */ v.page FROM page_views AS v JOIN orders AS o ON v.page = o.customer;
INSERT INTO changes SELECT /*+ STATE_TTL('page_views' = '10 min') */ page FROM page_views GROUP BY page;
