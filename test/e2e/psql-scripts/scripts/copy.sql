-- Copies in and out, between the client's files, its programs and the script itself.
CREATE TABLE c (n int PRIMARY KEY, s text);
\copy c FROM PROGRAM 'seq -f "%.0f,line" 1 2000' CSV
SELECT count(*), sum(n) FROM c;
COPY c (n, s) FROM STDIN;
3001	a\tb
3002	\N
3003	"quoted"
\.
\copy (SELECT * FROM c WHERE n > 1998 ORDER BY n) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)
COPY c (n) TO PROGRAM 'cat >/dev/null';
\copy c FROM PROGRAM 'printf "4001,a\nx,b\n4002,c\n"' CSV
\copy c FROM PROGRAM 'printf "1,again\n"' CSV
\copy nothing FROM PROGRAM 'true'
\copy c FROM '/nonexistent'
\copy c (n) FROM PROGRAM 'seq 5001 5010' WHERE n % 2 = 0
BEGIN;
\copy c (n) FROM PROGRAM 'seq 6001 6010'
SAVEPOINT before;
\copy c (n) FROM PROGRAM 'seq 6010 6020'
ROLLBACK TO before;
SELECT count(*) FROM c;
COMMIT;
BEGIN;
COPY c (n) FROM STDIN;
7001
\.
ROLLBACK;
COPY c (n) FROM STDIN; SELECT count(*) FROM c;
8001
\.
\copy (SELECT n, s FROM c ORDER BY n) TO PROGRAM 'md5sum' BINARY
COPY (SELECT 1) TO STDOUT \; COPY (SELECT 2) TO STDOUT \; SELECT 3;
