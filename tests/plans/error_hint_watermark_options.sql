CREATE TABLE ticks (n BIGINT) WITH ('connector' = 'generator');
CREATE TABLE seen (n BIGINT) WITH ('connector' = 'print');
INSERT INTO seen SELECT n FROM ticks /*+ OPTIONS('scan.watermark.idle-timeout' = '5 s') */;
