-- Large objects by psql's own commands, which call functions of the server in transactions.
\set QUIET on
\set VERBOSITY sqlstate
\! head -c 100000 /dev/zero | tr '\0' z > "$SCRATCH/in"
\getenv scratch SCRATCH
\set in :scratch '/in'
\set out :scratch '/out'
\lo_import :in
\set first :LASTOID
SELECT count(*), sum(length(data)) FROM pg_largeobject WHERE loid = :first;
BEGIN;
\lo_import :in
\set second :LASTOID
SELECT lo_unlink(:second);
COMMIT;
\lo_export :first :out
\! cmp "$SCRATCH/in" "$SCRATCH/out" && echo equal
\lo_unlink :first
\lo_export :first :out
SELECT count(*) FROM pg_largeobject WHERE loid IN (:first, :second);
