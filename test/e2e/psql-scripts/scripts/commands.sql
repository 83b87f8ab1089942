-- What psql makes of results: rows as statements, as variables, as a cross table, as types.
CREATE TABLE sales (who text, month int, n numeric(10, 2));
INSERT INTO sales SELECT chr(97 + i % 3), 1 + i % 4, i * 1.5 FROM generate_series(1, 40) AS i;
SELECT who, month, sum(n) FROM sales GROUP BY who, month ORDER BY who, month \crosstabview
SELECT who, month, sum(n) FROM sales GROUP BY who, month \crosstabview month who sum who
SELECT format('CREATE TABLE gen_%s AS SELECT %s AS n', i, i) FROM generate_series(1, 3) AS i
\gexec
SELECT 'SELECT n FROM gen_1', 'SELECT 1 / 0', NULL, 'SELECT n FROM gen_3' \gexec
SELECT 5 AS a, 'it''s' AS b, NULL AS c \gset mine_
SELECT :mine_a + 1, :'mine_b', :'mine_c';
SELECT 1 AS a UNION SELECT 2 \gset
SELECT * FROM gen_2 \gx
SELECT who, n, now() AS at FROM sales \gdesc
SELECT broken \gdesc
SELECT 1 \g (format=csv footer=off)
SELECT 2 AS two, 3 AS three \gx
\set VERBOSITY verbose
SELECT 1 / 0;
\set VERBOSITY sqlstate
SELECT nothing;
\set VERBOSITY default
\errverbose
\if :ERROR
  \echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
\endif
SELECT 1 \; SELECT 2 \; INSERT INTO gen_1 VALUES (7) \; SELECT count(*) FROM gen_1;
SELECT 1 \; SELECT 1 / 0 \; SELECT 3;
\echo :ROW_COUNT :SQLSTATE
\encoding LATIN1
SELECT length(convert_to('é', 'UTF8')) > 1;
\encoding UTF8
\dt
\d+ sales
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
\sf twice
\df twice
SELECT twice(21);
PREPARE p (int) AS SELECT sum(n) FROM sales WHERE month = $1;
EXECUTE p(1);
EXECUTE p(2) \gset
\echo :sum
DEALLOCATE p;
EXECUTE p(1);
\set QUIET on
\c -
SHOW search_path;
SELECT count(*) FROM sales;
