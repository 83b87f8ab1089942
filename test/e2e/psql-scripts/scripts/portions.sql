-- FETCH_COUNT makes psql read by cursors, in transactions of its own where there is none.
\set FETCH_COUNT 7
SELECT i, repeat('x', i) FROM generate_series(1, 20) AS i;
SELECT 10 / (30 - i) FROM generate_series(1, 40) AS i;
BEGIN;
SELECT i FROM generate_series(1, 15) AS i;
SELECT 10 / (3 - i) FROM generate_series(1, 4) AS i;
SELECT 'aborted';
ROLLBACK;
CREATE TABLE kept (n int);
INSERT INTO kept SELECT generate_series(1, 30);
SELECT count(*) FROM kept \; SELECT sum(n) FROM kept;
WITH gone AS (DELETE FROM kept RETURNING n) SELECT n FROM gone;
SELECT n FROM kept;
SELECT * FROM nothing;
\set FETCH_COUNT 0
\set AUTOCOMMIT off
\set FETCH_COUNT 3
INSERT INTO kept VALUES (1), (2), (3), (4);
SELECT n FROM kept ORDER BY n;
ROLLBACK;
SELECT n FROM kept ORDER BY n;
COMMIT;
