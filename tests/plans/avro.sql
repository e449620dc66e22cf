-- Avro finds values by their places in a record, so that all columns are read.
CREATE TABLE readings (
  sensor STRING NOT NULL,
  at TIMESTAMP(3),
  detail ROW<low DOUBLE NOT NULL, high DOUBLE>,
  WATERMARK FOR at AS at
) WITH ('connector' = 'kafka', 'topic' = 'r', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'avro');
CREATE TABLE highs (sensor STRING, high DOUBLE) WITH ('connector' = 'print');
INSERT INTO highs SELECT sensor, detail.high FROM readings;
