INSERT INTO texts
SELECT v.page FROM page_views AS v
JOIN TABLE(SESSION(TABLE orders PARTITION BY customer, DESCRIPTOR(created), INTERVAL '4' SECOND)) AS s
ON v.page = s.customer;
