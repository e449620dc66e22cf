-- Sellers of one category in some states: a join of two growing tables, filtered on both sides.
CREATE TABLE results (
  seller STRING,
  city STRING,
  state STRING,
  auction BIGINT
) WITH ($sink);
INSERT INTO results
SELECT p.name, p.city, p.state, a.id
FROM auction AS a
JOIN person AS p ON p.id = a.seller
WHERE a.category = 11 AND p.state IN ('WA', 'AZ', 'WY');
