SET 'table.exec.source.idle-timout' = '1 s';
