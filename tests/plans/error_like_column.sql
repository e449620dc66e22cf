CREATE TABLE base (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'a');
CREATE TABLE other (id STRING) LIKE base;
