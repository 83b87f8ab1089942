/** Every place in a database where an effect on the session can hide, and harmless neighbours. */
export const CATALOGUE_SCHEMA = `
CREATE EXTENSION citext; CREATE EXTENSION pgcrypto; CREATE EXTENSION postgres_fdw;

-- What would be hit by an unqualified name in the gateway's own query.
CREATE SCHEMA evil;
CREATE FUNCTION evil.bad(oid, oid) RETURNS boolean LANGUAGE sql AS
  'SELECT 1 / 0 = 1';
CREATE OPERATOR evil.= (FUNCTION = evil.bad, LEFTARG = oid, RIGHTARG = oid);
CREATE VIEW evil.pg_proc AS SELECT 1 / 0 AS oid;
GRANT USAGE ON SCHEMA evil TO PUBLIC;

CREATE TABLE plain (id serial PRIMARY KEY, note text DEFAULT lower('A') CHECK (length(note) < 9));
CREATE FUNCTION pure_sql(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + count(*)::int FROM plain';
CREATE FUNCTION pure_sql_of_row(plain) RETURNS int LANGUAGE sql AS 'SELECT $1.id';
CREATE FUNCTION pure_plpgsql(x int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; p plain; total int := 0; names text[] := '{}';
BEGIN
  FOR r IN SELECT id FROM plain WHERE id > x LOOP total := total + r.id; END LOOP;
  names[1] := 'a=b';
  SELECT * INTO p FROM plain LIMIT 1;
  IF total > 3 THEN RAISE NOTICE 'total %', total; END IF;
  PERFORM set_config('work_mem', '1MB', true);
  RETURN total;
EXCEPTION WHEN division_by_zero THEN RETURN 0;
END $$;
CREATE FUNCTION pure_atomic(int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT $1; END;
CREATE AGGREGATE total_of(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN new.updated_at := now(); RETURN new; END $$;
CREATE TABLE touched (id int, updated_at timestamptz);
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE with_citext (email citext PRIMARY KEY);
CREATE VIEW pure_view AS SELECT id, note, pure_sql(id) AS n FROM plain;
CREATE DOMAIN pure_domain AS text CHECK (value <> '');

CREATE FUNCTION set_tenant() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM set_config('app.tenant', new.tenant, false); RETURN new; END $$;
CREATE TABLE tenants (id int PRIMARY KEY, tenant text);
CREATE TRIGGER set_tenant BEFORE INSERT OR UPDATE ON tenants
  FOR EACH ROW EXECUTE FUNCTION set_tenant();
CREATE VIEW tenants_view AS SELECT id FROM tenants;
CREATE FUNCTION dirty_literal() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM pg_catalog.pg_advisory_lock(7); RETURN 1; END $$;
CREATE FUNCTION calls_dirty() RETURNS int LANGUAGE sql AS 'SELECT public.dirty_literal()';
CREATE FUNCTION dirty_of_row(plain) RETURNS int LANGUAGE sql AS 'SELECT calls_dirty()';
CREATE FUNCTION with_default(x int DEFAULT dirty_literal()) RETURNS int LANGUAGE sql AS 'SELECT x';
CREATE FUNCTION dirty_atomic() RETURNS text LANGUAGE sql
  BEGIN ATOMIC SELECT set_config('app.atomic', 'x', false); END;
CREATE PROCEDURE dirty_procedure() LANGUAGE plpgsql AS
  $$ BEGIN PERFORM dirty_literal(); COMMIT; END $$;
CREATE SCHEMA other;
CREATE FUNCTION pure_sql_too() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other.pure_sql_too() RETURNS int LANGUAGE sql AS 'SELECT public.dirty_literal()';

CREATE VIEW dirty_view AS SELECT id, dirty_literal() AS d FROM plain;
CREATE VIEW dirty_view_of_view AS SELECT id FROM dirty_view;
CREATE VIEW lock_view AS SELECT pg_try_advisory_lock(9) AS locked;
CREATE VIEW setting_view AS SELECT set_config('app.x', 'y', false) AS v;
CREATE VIEW settings_view AS SELECT * FROM pg_settings;

CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE grandparent (id int PRIMARY KEY);
CREATE TABLE middle (id int PRIMARY KEY REFERENCES grandparent ON UPDATE SET NULL);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE,
  middle_id int REFERENCES middle ON DELETE SET DEFAULT);
CREATE TRIGGER t AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION set_tenant();
CREATE TABLE unrelated_child (id int REFERENCES parent);

CREATE TABLE defaulted (id int DEFAULT dirty_literal());
CREATE TABLE checked (id int CHECK (id <> dirty_literal()));
CREATE DOMAIN dirty_domain AS text CHECK (length(value) <> dirty_literal());
CREATE TABLE with_domain (x dirty_domain);
CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (id = calls_dirty());
CREATE FUNCTION dirty_index(int) RETURNS int LANGUAGE sql IMMUTABLE AS
  'SELECT public.calls_dirty()';
CREATE TABLE indexed (id int); CREATE INDEX ON indexed (dirty_index(id));
CREATE TABLE ruled (id int);
CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT dirty_literal();
CREATE FUNCTION dirty_op(int, int) RETURNS int LANGUAGE sql AS 'SELECT public.dirty_literal()';
CREATE OPERATOR === (FUNCTION = dirty_op, LEFTARG = int, RIGHTARG = int);
CREATE TYPE from_cast AS (x int);
CREATE FUNCTION make_from(text) RETURNS from_cast LANGUAGE sql AS
  'SELECT ROW(public.dirty_literal())::public.from_cast';
CREATE CAST (text AS from_cast) WITH FUNCTION make_from(text) AS ASSIGNMENT;
CREATE AGGREGATE dirty_sum(int) (SFUNC = dirty_op, STYPE = int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9);
CREATE TRIGGER t BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION set_tenant();
CREATE TABLE heir_parent (id int); CREATE TABLE heir () INHERITS (heir_parent);
CREATE TRIGGER t AFTER UPDATE ON heir FOR EACH ROW EXECUTE FUNCTION set_tenant();
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE remote (id int) SERVER s;

CREATE FUNCTION dirty_execute(q text) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE q; END $$;
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE format('SELECT %L', tg_op); RETURN new; END $$;
CREATE TABLE audited (id int);
CREATE TRIGGER audit BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION dirty_computed(n text) RETURNS text LANGUAGE sql AS
  'SELECT set_config(n, ''x'', false)';
CREATE FUNCTION in_c(int) RETURNS int LANGUAGE internal AS 'int4abs';
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE 'SELECT 1'; END $$;
`;
