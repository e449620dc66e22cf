-- A condition of the join bounds the ranking.
INSERT INTO texts
SELECT v.page FROM page_views AS v
LEFT JOIN (SELECT *, ROW_NUMBER() OVER (PARTITION BY customer ORDER BY created DESC) AS rn FROM orders) AS o
ON o.customer = v.page AND o.rn = 1;
