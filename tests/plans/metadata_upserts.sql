CREATE TABLE prices (
  code STRING, price DOUBLE, at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  PRIMARY KEY (code) NOT ENFORCED,
  WATERMARK FOR at AS at
) WITH ('connector' = 'upsert-kafka', 'topic' = 'p', 'properties.bootstrap.servers' = 'b:9092', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE copies WITH ('topic' = 'q') LIKE prices;
INSERT INTO copies SELECT code, price * 2, at FROM prices;
