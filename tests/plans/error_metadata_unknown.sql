CREATE TABLE t (
  a INT PRIMARY KEY NOT ENFORCED,
  ingested TIMESTAMP(3) METADATA FROM 'value.ingestion-timestamp' VIRTUAL
) WITH ('connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json');
