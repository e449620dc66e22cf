INSERT INTO numbers
SELECT quantity % CAST(7 AS SMALLINT), quantity / 2 + 1, MOD(id, 1000) * 2, price * 0.908 + quantity, -weight / 2
FROM orders;
