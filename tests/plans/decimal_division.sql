INSERT INTO numbers (real) SELECT price / 3 FROM orders;
