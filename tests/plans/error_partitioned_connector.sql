CREATE TABLE s (a INT, `day` STRING) PARTITIONED BY (`day`) WITH ('connector' = 'kafka');
INSERT INTO s SELECT quantity, customer FROM orders;
