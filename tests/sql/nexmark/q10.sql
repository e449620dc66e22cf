-- Every bid to files in folders by day and minute.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  bid_at TIMESTAMP(3),
  extra STRING,
  bid_day STRING,
  bid_minute STRING
)$partitioned_by WITH ($partitioned_sink);
INSERT INTO results
SELECT auction, bidder, price, `dateTime`, extra, DATE_FORMAT(`dateTime`, 'yyyy-MM-dd'), DATE_FORMAT(`dateTime`, 'HH:mm')
FROM bid;
