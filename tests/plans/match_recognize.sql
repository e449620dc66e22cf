CREATE TABLE out (page STRING, started TIMESTAMP(3), first_user BIGINT, before_last BIGINT, views BIGINT, rise BIGINT)
WITH ('connector' = 'log');
INSERT INTO out
SELECT m.* FROM page_views AS p MATCH_RECOGNIZE (
  PARTITION BY page
  ORDER BY viewed_at, user_id DESC
  MEASURES
    FIRST(viewed_at) AS started,
    FIRST(A.user_id) AS first_user,
    LAST(B.user_id, 1) AS before_last,
    COUNT(*) AS views,
    SUM(B.user_id * 2) - A.user_id AS rise
  ONE ROW PER MATCH
  AFTER MATCH SKIP TO LAST B
  PATTERN (A B{2,5} C*? (D))
  WITHIN INTERVAL '1' HOUR
  DEFINE
    B AS B.user_id > LAST(B.user_id, 1) OR LAST(B.user_id, 1) IS NULL,
    D AS D.user_id < PREV(D.user_id) AND COUNT(B.user_id) > 2 AND AVG(user_id) > 1
) AS m WHERE page <> '';
