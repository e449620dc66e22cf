CREATE TABLE t (at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'generator', 'scan.watermark.alignment.group' = 'g');
