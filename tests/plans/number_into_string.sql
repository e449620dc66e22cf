INSERT INTO texts SELECT id FROM orders;
