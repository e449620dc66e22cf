CREATE TABLE clicks (page STRING, o BIGINT METADATA FROM 'offset' VIRTUAL)
WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'b:9092', 'format' = 'json');
CREATE TABLE shown WITH ('connector' = 'print') LIKE clicks (EXCLUDING OPTIONS);
