-- The three tables as Tidemill's own generator makes them.
CREATE TABLE person (
  id BIGINT,
  name STRING,
  emailAddress STRING,
  creditCard STRING,
  city STRING,
  state STRING,
  `dateTime` TIMESTAMP(3),
  extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH (
  'connector' = 'nexmark',
  'nexmark.kind' = 'person',
  'nexmark.every-column' = '$every_column',
  'events.num' = '$events',
  'seed' = '$seed',
  'first-event.rate' = '$rate',
  'next-event.rate' = '$rate'
);
CREATE TABLE auction (
  id BIGINT,
  itemName STRING,
  description STRING,
  initialBid BIGINT,
  reserve BIGINT,
  `dateTime` TIMESTAMP(3),
  expires TIMESTAMP(3),
  seller BIGINT,
  category BIGINT,
  extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH (
  'connector' = 'nexmark',
  'nexmark.kind' = 'auction',
  'nexmark.every-column' = '$every_column',
  'events.num' = '$events',
  'seed' = '$seed',
  'first-event.rate' = '$rate',
  'next-event.rate' = '$rate'
);
CREATE TABLE bid (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  url STRING,
  `dateTime` TIMESTAMP(3),
  extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND
) WITH (
  'connector' = 'nexmark',
  'nexmark.kind' = 'bid',
  'nexmark.every-column' = '$every_column',
  'events.num' = '$events',
  'seed' = '$seed',
  'first-event.rate' = '$rate',
  'next-event.rate' = '$rate'
);
