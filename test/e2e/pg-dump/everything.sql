-- A bit of whatever a dump has to find, and words that quoting stumbles over.
CREATE EXTENSION hstore;
CREATE SCHEMA "Odd ""Name";
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'glad');
CREATE TYPE pair AS (a int, b mood[]);
CREATE TYPE floats AS RANGE (subtype = float8);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE counter START 5 INCREMENT 3 CACHE 7;
SELECT setval('counter', 4711);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  NEW.t := NEW.t || $$ told \ ' $$;
  RETURN NEW;
END $f$;
CREATE FUNCTION twice(n int DEFAULT 2, OUT m int) LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE PROCEDURE nothing(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE TABLE item (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  t text NOT NULL DEFAULT 'x' COLLATE "C",
  m mood,
  p pair,
  n positive UNIQUE,
  h hstore,
  b bytea,
  j jsonb,
  f float8,
  at timestamptz,
  double int GENERATED ALWAYS AS (n * 2) STORED,
  CHECK (t <> 'forbidden')
);
CREATE TRIGGER told BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO item (t, m, p, n, h, b, j, f, at)
SELECT 'row' || chr(9) || chr(10) || '\' || i, 'glad', (i, '{sad,glad}'::mood[])::pair, i, 'a=>1',
  decode(md5(i::text), 'hex'), jsonb_build_object('i', i), 1 / i::float8,
  '2026-01-01 00:00+00'::timestamptz + i * interval '1 hour'
FROM generate_series(1, 3000) AS i;
INSERT INTO item (t) VALUES ('\N'), (''), ('\.'), ('ü€😀');
CREATE INDEX part ON item USING gin (j) WHERE n > 5;
CREATE INDEX ON item (lower(t), f DESC NULLS LAST) INCLUDE (n);
CREATE STATISTICS stat ON t, n FROM item;
COMMENT ON COLUMN item.t IS 'what''s said';
CREATE TABLE "Odd ""Name"."Select" (id int REFERENCES item ON DELETE CASCADE,
  "a b" bigint DEFAULT nextval('counter'));
CREATE TABLE child (extra text) INHERITS (item);
CREATE TABLE log (at date, n int) PARTITION BY RANGE (at);
CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE log_new PARTITION OF log DEFAULT;
INSERT INTO log SELECT '2025-12-01'::date + i, i FROM generate_series(1, 2000) AS i;
CREATE UNLOGGED TABLE fast AS SELECT generate_series(1, 2000) AS n, repeat('x', 500) AS filler;
CREATE VIEW shown AS SELECT i.id, l.n FROM item i LEFT JOIN log l ON l.n = i.id;
CREATE RULE shown_insert AS ON INSERT TO shown DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM item;
CREATE POLICY own ON item FOR SELECT USING (t = current_user);
ALTER TABLE item ENABLE ROW LEVEL SECURITY;
GRANT SELECT (id, t) ON item TO PUBLIC;
CREATE PUBLICATION pub FOR TABLE item WHERE (id > 5), log;
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER far OPTIONS (host 'h');
CREATE FOREIGN TABLE there (n int) SERVER elsewhere;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION watch();
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
SELECT lo_from_bytea(424242, decode(repeat('00ff', 5000), 'hex'));
COMMENT ON LARGE OBJECT 424242 IS 'large';
