INSERT INTO texts VALUES ('a'), ('b', 1);
