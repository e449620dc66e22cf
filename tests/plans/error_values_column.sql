INSERT INTO texts VALUES (line);
