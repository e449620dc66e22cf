SET 'table.exec.emit.allow-lateness' = '5 s';
