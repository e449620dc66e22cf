INSERT INTO texts
SELECT v.page
FROM page_views AS v, page_views AS w
WHERE v.user_id = w.user_id AND v.page <> w.page
  AND v.viewed_at BETWEEN w.viewed_at - INTERVAL '5' SECOND AND w.viewed_at + INTERVAL '1' MINUTE;
