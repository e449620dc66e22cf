SELECT page FROM page_views;
