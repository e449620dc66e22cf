INSERT INTO texts SELECT a FROM broken;
