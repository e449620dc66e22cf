INSERT INTO texts (lime) SELECT page FROM page_views;
