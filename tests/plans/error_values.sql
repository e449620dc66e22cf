INSERT INTO texts VALUES ('a'), ('b');
