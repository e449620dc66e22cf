-- The cast is tested only where the first condition holds.
INSERT INTO texts SELECT page FROM page_views WHERE CAST(page AS INT) > 5 AND page <> '';
