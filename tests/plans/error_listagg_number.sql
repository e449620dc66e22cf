INSERT INTO texts SELECT LISTAGG(quantity) FROM orders;
