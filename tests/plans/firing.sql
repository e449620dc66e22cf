SET 'table.exec.emit.early-fire.enabled' = 'true';
SET 'table.exec.emit.early-fire.delay' = '5 s';
SET 'table.exec.emit.late-fire.enabled' = 'true';
SET 'table.exec.emit.late-fire.delay' = '0';
SET 'table.exec.emit.allow-lateness' = '1 h';
CREATE TEMPORARY TABLE counts (page STRING, since TIMESTAMP(3), n BIGINT) WITH ('connector' = 'print');
INSERT INTO counts
SELECT page, TUMBLE_START(viewed_at, INTERVAL '1' MINUTE), COUNT(*) FROM page_views
GROUP BY page, TUMBLE(viewed_at, INTERVAL '1' MINUTE);
