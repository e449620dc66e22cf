-- A column that is only sorted by is not put out.
INSERT INTO texts SELECT page FROM page_views AS v ORDER BY v.viewed_at, page DESC NULLS LAST, user_id + 1;
