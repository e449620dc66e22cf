SET 'table.local-time-zone' = 'America/New_York';
INSERT INTO texts SELECT DATE_FORMAT(created, 'HH') || CAST(created AS STRING) || CAST(EXTRACT(HOUR FROM created) AS STRING)
  || FROM_UNIXTIME(created_ms) || CAST(UNIX_TIMESTAMP(customer) AS STRING) || CAST(FLOOR(created TO DAY) AS STRING)
FROM orders
WHERE created > '2024-03-10 12:00:00' AND CAST(created AS DATE) < CURRENT_DATE AND CAST(created AS TIMESTAMP(3)) < LOCALTIMESTAMP
  AND CAST(customer AS TIMESTAMP_LTZ(3)) < created;
