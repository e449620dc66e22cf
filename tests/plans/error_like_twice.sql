CREATE TABLE base (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'a');
CREATE TABLE other (name STRING) WITH ('topic' = 'b')
LIKE base (INCLUDING OPTIONS);
