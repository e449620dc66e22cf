-- The value's format tells metadata, too.
CREATE TABLE changed_orders (
  id BIGINT,
  captured TIMESTAMP(3) METADATA FROM 'value.ingestion-timestamp' VIRTUAL,
  db STRING METADATA FROM 'value.source.database' VIRTUAL,
  properties MAP<STRING, STRING> METADATA FROM 'value.source.properties' VIRTUAL,
  PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'kafka', 'topic' = 'o', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'debezium-json');
CREATE TABLE seen (id BIGINT, captured TIMESTAMP(3), db STRING, p STRING) WITH ('connector' = 'print');
INSERT INTO seen SELECT id, captured, db, properties['name'] FROM changed_orders;
