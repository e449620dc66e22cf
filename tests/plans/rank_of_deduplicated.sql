CREATE VIEW latest AS
SELECT page, user_id, viewed_at FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY page ORDER BY viewed_at DESC) AS rn FROM page_views) WHERE rn = 1;
INSERT INTO numbers (big, number)
SELECT user_id, CAST(place AS INT) FROM (
  SELECT user_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY viewed_at) AS place FROM latest)
WHERE place < 3;
