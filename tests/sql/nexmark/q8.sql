-- Persons who open an auction in the window in which they come: a join of two windowed tables.
CREATE TABLE results (
  person BIGINT,
  name STRING,
  since TIMESTAMP(3)
) WITH ($sink);
INSERT INTO results
SELECT newcomer.id, newcomer.name, newcomer.window_start
FROM (
  SELECT window_start, window_end, id, name
  FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(`dateTime`), INTERVAL '12' SECOND))
  GROUP BY window_start, window_end, id, name
) AS newcomer
JOIN (
  SELECT window_start, window_end, seller
  FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(`dateTime`), INTERVAL '12' SECOND))
  GROUP BY window_start, window_end, seller
) AS opened
ON newcomer.id = opened.seller AND newcomer.window_start = opened.window_start AND newcomer.window_end = opened.window_end;
