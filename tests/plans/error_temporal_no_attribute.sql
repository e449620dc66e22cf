INSERT INTO texts
SELECT o.customer FROM orders AS o JOIN orders FOR SYSTEM_TIME AS OF o.shipped AS p ON o.id = p.id;
