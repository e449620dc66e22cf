CREATE TABLE users (
  id BIGINT, name STRING, city STRING, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = 'users', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE changes (id BIGINT, city STRING) WITH ('connector' = 'kafka', 'topic' = 'c', 'format' = 'debezium-json');
CREATE TABLE cities (
  city STRING, users BIGINT, PRIMARY KEY (city) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = 'cities', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE orders_seen (
  id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'upsert-kafka', 'topic' = 'seen', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE log (city STRING) WITH ('connector' = 'print');
INSERT INTO cities SELECT city, COUNT(*) FROM users GROUP BY city;
INSERT INTO orders_seen SELECT o.id, u.name FROM orders AS o JOIN users AS u ON o.quantity = u.id;
INSERT INTO orders_seen SELECT id, customer FROM orders;
INSERT INTO log SELECT city FROM changes WHERE id > 3;
INSERT INTO changes SELECT COUNT(*), city FROM users GROUP BY city;
