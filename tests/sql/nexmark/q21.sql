-- The id of a bid's channel, from its name or out of its URL: a regular expression on every bid.
CREATE TABLE results (
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  channel_id STRING
) WITH ($sink);
INSERT INTO results
SELECT auction, bidder, price, channel,
  CASE LOWER(channel)
    WHEN 'google' THEN 'g'
    WHEN 'apple' THEN 'a'
    WHEN 'baidu' THEN 'b'
    WHEN 'facebook' THEN 'f'
    ELSE REGEXP_EXTRACT(url, '[?&]channel_id=([-0-9]+)', 1)
  END
FROM bid
WHERE LOWER(channel) IN ('google', 'apple', 'baidu', 'facebook')
  OR REGEXP_EXTRACT(url, '[?&]channel_id=([-0-9]+)', 1) IS NOT NULL;
