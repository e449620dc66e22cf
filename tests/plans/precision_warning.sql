CREATE TABLE fine (t TIMESTAMP(6), z TIMESTAMP(3) WITH LOCAL TIME ZONE) WITH ('connector' = 'log');
SET 'table.exec.mini-batch.enabled' = 'true';
INSERT INTO fine SELECT shipped, created FROM orders;
