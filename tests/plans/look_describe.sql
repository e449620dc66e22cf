CREATE TABLE items (
  id BIGINT NOT NULL,
  price DECIMAL(10, 2),
  seen TIMESTAMP(3),
  cents AS price * 100,
  handled AS PROCTIME(),
  WATERMARK FOR seen AS seen - INTERVAL '5' SECOND,
  PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'kafka', 'topic' = 'items', 'format' = 'json', 'properties.sasl.password' = 'hidden');
CREATE VIEW dear AS SELECT id, price FROM items WHERE price > 10;
DESCRIBE items;
DESC dear;
SHOW CREATE TABLE items;
