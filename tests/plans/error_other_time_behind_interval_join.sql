INSERT INTO texts
SELECT customer FROM TABLE(TUMBLE((
    SELECT a.page AS customer, a.viewed_at AS first_at, b.viewed_at AS then_at, c.viewed_at AS last_at
    FROM page_views AS a
    JOIN page_views AS b ON a.viewed_at BETWEEN b.viewed_at - INTERVAL '5' SECOND AND b.viewed_at
    LEFT JOIN page_views AS c ON b.viewed_at BETWEEN c.viewed_at - INTERVAL '5' SECOND AND c.viewed_at
), DESCRIPTOR(first_at), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, customer;
