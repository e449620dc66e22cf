CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'generator', 'scan.watermark.idle-timeout' = '5 s');
CREATE TABLE seen (n BIGINT) WITH ('connector' = 'print');
INSERT INTO seen SELECT n FROM ticks;
