-- Virtual columns are not written; others are, in the type that the connector takes.
CREATE TABLE events (id BIGINT, at TIMESTAMP(3)) WITH ('connector' = 'generator');
CREATE TABLE copies (
  `offset` BIGINT METADATA VIRTUAL,
  at TIMESTAMP(3) METADATA FROM 'timestamp',
  id BIGINT,
  headers MAP<STRING, BYTES> METADATA
) WITH ('connector' = 'kafka', 'topic' = 'c', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json');
SET 'table.local-time-zone' = 'Europe/Berlin';
INSERT INTO copies SELECT at, id, MAP['kind', CAST('copy' AS BYTES)] FROM events;
INSERT INTO copies (id) SELECT id FROM events;
