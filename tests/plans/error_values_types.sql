INSERT INTO texts VALUES ('a'), (1);
