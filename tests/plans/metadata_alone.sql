-- Also where only metadata is read, a record is read.
CREATE TABLE clicks (page STRING, o BIGINT METADATA FROM 'offset' VIRTUAL)
WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'raw');
CREATE TABLE offsets (o BIGINT) WITH ('connector' = 'print');
INSERT INTO offsets SELECT o FROM clicks;
