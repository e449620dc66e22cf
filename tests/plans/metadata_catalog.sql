-- A table of the catalog has metadata by the text of its columns' types.
INSERT INTO arrivals SELECT ship, at FROM arrivals WHERE `offset` > 7;
