INSERT INTO texts SELECT ship FROM mistold;
