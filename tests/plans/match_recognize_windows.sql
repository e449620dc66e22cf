-- The time of a match is a time attribute: windows can be built on it.
CREATE TABLE out (ended TIMESTAMP(3), matches BIGINT) WITH ('connector' = 'log');
CREATE VIEW drops AS
SELECT * FROM page_views MATCH_RECOGNIZE (
  ORDER BY viewed_at MEASURES MATCH_ROWTIME() AS at PATTERN (A B) DEFINE B AS B.user_id < A.user_id);
INSERT INTO out SELECT window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE drops, DESCRIPTOR(at), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
