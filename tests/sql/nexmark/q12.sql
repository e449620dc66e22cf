-- A bidder's bids by the clock of the machine: windows of processing time. Its results differ from run to run.
CREATE VIEW clocked AS SELECT bidder, PROCTIME() AS read_at FROM bid;
CREATE TABLE results (
  bidder BIGINT,
  bids BIGINT,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3)
) WITH ($sink);
INSERT INTO results
SELECT bidder, COUNT(*), window_start, window_end
FROM TABLE(TUMBLE(TABLE clocked, DESCRIPTOR(read_at), INTERVAL '8' SECOND))
GROUP BY bidder, window_start, window_end;
