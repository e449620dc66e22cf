INSERT INTO texts SELECT ARRAY_JOIN(ARRAY_APPEND(SPLIT(page, ','), 1), ',') FROM page_views;
