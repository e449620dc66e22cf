INSERT INTO texts
SELECT CASE WHEN weight BETWEEN 1 AND 2.5 THEN 'light' WHEN quantity IN (1, 2, id) THEN customer ELSE NULL END
FROM orders
WHERE COALESCE(customer, 'nobody') NOT LIKE 'a!_%' ESCAPE '!'
  AND (paid IS NOT TRUE OR shipped < '2024-02-29 12:00:00')
  AND customer IS DISTINCT FROM 'test'
  AND NULLIF(quantity, 0) IS NOT NULL
  AND IF(paid, id, 0) >= 0;
