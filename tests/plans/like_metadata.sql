CREATE TABLE clicks (page STRING, o BIGINT METADATA FROM 'offset' VIRTUAL)
WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json');
CREATE TABLE shown WITH ('connector' = 'print') LIKE clicks (EXCLUDING METADATA EXCLUDING OPTIONS);
CREATE TABLE other (o BIGINT METADATA FROM 'partition' VIRTUAL) LIKE clicks (OVERWRITING METADATA);
INSERT INTO shown SELECT page FROM other WHERE o > 0;
