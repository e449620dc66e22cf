INSERT INTO texts SELECT LISTAGG(customer, customer) FROM orders;
