-- Again and again until it fails: this psql may have no other end for it.
CREATE TABLE w (n int);
INSERT INTO w VALUES (5);
\t on
UPDATE w SET n = n - 1 WHERE 10 / n > 0 RETURNING n \watch 0.05
SELECT n FROM w;
