-- Changes do not come by the sink's key: of several rows with one key the last that has come stands for it.
CREATE TABLE visits (page STRING, visitor BIGINT) WITH ('connector' = 'generator');
CREATE TABLE pages_of (visits BIGINT, page STRING, PRIMARY KEY (visits) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = 'p', 'properties.bootstrap.servers' = 'b:9092', 'key.format' = 'json', 'value.format' = 'json');
INSERT INTO pages_of SELECT COUNT(*), page FROM visits GROUP BY page;
