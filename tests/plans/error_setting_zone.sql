SET 'table.local-time-zone' = 'Europe/Berlin';
