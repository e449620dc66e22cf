SET 'table.exec.emit.allow-lateness' = '0 s';
SET 'table.exec.emit.early-fire.enabled' = 'false';
CREATE TABLE clicks (
  id BIGINT,
  at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND
) WITH (
  'connector' = 'generator',
  'rows-per-second' = '10',
  'scan.watermark.idle-timeout' = '5 s',
  'scan.watermark.emit.strategy' = 'on-periodic',
  'scan.watermark.alignment.group' = 'clicks and views',
  'scan.watermark.alignment.max-drift' = '1 min',
  'scan.watermark.alignment.update-interval' = '500 ms',
  'scan.watermark.max-future' = '1 h'
);
CREATE TEMPORARY TABLE counts (id BIGINT, n BIGINT) WITH ('connector' = 'log');
INSERT INTO counts
SELECT id, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '1' MINUTE))
GROUP BY id, window_start, window_end;
