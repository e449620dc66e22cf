-- Nobody reads the number, so a change of place is no change.
CREATE VIEW ranked AS SELECT *, ROW_NUMBER() OVER (ORDER BY user_id + 1, page) AS rn FROM page_views;
INSERT INTO texts SELECT page FROM ranked WHERE rn BETWEEN 2 AND 4;
INSERT INTO texts SELECT page FROM ranked WHERE rn >= 2 AND 5 > rn;
