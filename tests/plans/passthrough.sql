-- Nothing is computed: only the columns' names and order differ.
INSERT INTO texts SELECT page FROM page_views;
