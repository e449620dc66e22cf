INSERT INTO texts
  SELECT DISTINCT page FROM page_views;
