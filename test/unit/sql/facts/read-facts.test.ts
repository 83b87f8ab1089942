import { beforeAll, describe, expect, it } from 'vitest';
import { loadParser } from '../../../../src/origin/parser.ts';
import { Effect, type Facts } from '../../../../src/sql/facts/facts.ts';
import type { SqlParser } from '../../../../src/sql/facts/parser.ts';
import { readFacts } from '../../../../src/sql/facts/read-facts.ts';

let parser: SqlParser;
beforeAll(async () => {
  parser = await loadParser();
});
const read = (text: string): Facts => readFacts(parser, text);

describe('effects', () => {
  it.each([
    'SELECT 1',
    'SELECT now(), current_user, pg_notify($1, $2), pg_advisory_xact_lock(1)',
    "SELECT set_config('app.tenant', $1, true)",
    'SELECT set_config($1, $2, true)',
    'WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x',
    'SET LOCAL app.tenant = 1',
    'SET TRANSACTION READ ONLY',
    'BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT',
    'DECLARE c CURSOR FOR SELECT 1',
    'FETCH 1 FROM c',
    'COPY t FROM STDIN',
    'LOCK TABLE t',
    'NOTIFY x',
    'TRUNCATE t',
    'EXPLAIN ANALYZE SELECT 1',
    'SHOW search_path',
    "SELECT 'pg_temp.x'",
    '',
  ])('has none for %s', (text) => {
    expect(read(text)).toMatchObject({ effects: Effect.None, reason: '' });
  });

  it.each([
    ['LISTEN a', 'LISTEN'],
    ['UNLISTEN *', 'UNLISTEN'],
    ['SELECT pg_advisory_lock(1)', 'pg_advisory_lock'],
    ['SELECT PG_CATALOG."pg_try_advisory_lock"(1)', 'pg_try_advisory_lock'],
    ['SELECT (7::bigint).pg_advisory_lock', 'pg_advisory_lock'],
    ['SELECT 1 WHERE EXISTS (SELECT FROM (SELECT pg_advisory_unlock(1)) x)', 'pg_advisory_unlock'],
    ['CREATE TEMP TABLE t (a int)', 'DDL'],
    ['SELECT 1 INTO TEMP t', 'SELECT INTO'],
    ['CREATE TABLE t AS SELECT 1', 'DDL'],
    ['CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'DDL'],
    ['SELECT * FROM pg_temp.t', 'temporary object'],
    ['SELECT pg_temp.f()', 'temporary object'],
    ["SELECT '1'::pg_temp_3.t", 'temporary object'],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'DECLARE … WITH HOLD'],
    ['CLOSE c', 'CLOSE'],
    ['SET ROLE a', 'SET ROLE'],
    ["SELECT set_config('role', 'a', false)", 'SET ROLE'],
    ['SET SESSION AUTHORIZATION a', 'SET SESSION AUTHORIZATION'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SET SESSION CHARACTERISTICS'],
    ['RESET ALL', 'RESET ALL'],
    ['DISCARD TEMP', 'DISCARD'],
    ['PREPARE a AS SELECT 1', 'PREPARE'],
    ['EXECUTE a', 'EXECUTE'],
    ['DEALLOCATE a', 'DEALLOCATE'],
    ['DROP TABLE t', 'DDL'],
    ['CALL p()', 'CALL'],
    ['DO $$ BEGIN PERFORM 1; END $$', 'DO'],
    ['TRUNCATE t CASCADE', 'TRUNCATE … CASCADE'],
    ['UPDATE pg_settings SET setting = $1', 'write to pg_settings'],
    ['VACUUM t', 'VACUUM'],
    ['SELECT 1 FROM', 'not understood'],
  ])('of %s can be seen by a probe', (text, reason) => {
    expect(read(text)).toMatchObject({ effects: Effect.Session, reason });
  });

  it.each([
    ["LOAD 'x'", 'LOAD'],
    ['CREATE EXTENSION citext', 'extension script'],
    ['ALTER EXTENSION citext UPDATE', 'extension script'],
    ['SELECT setseed(0.5)', 'setseed'],
    ['SELECT (0.5::float8).setseed', 'setseed'],
    ['SET seed = 0.5', 'seed'],
    ['SET LOCAL seed = 0.5', 'seed'],
    ["SELECT set_config('SEED', '0.5', true)", 'seed'],
    ["SELECT set_config('app.' || $1, 'x', false)", 'set_config of a computed name'],
    ['SELECT set_config(name, setting, false) FROM t', 'set_config of a computed name'],
    ["SELECT set_config('app.x'::a.name, 'y', false)", 'set_config of a computed name'],
    ["SELECT query_to_xml('SELECT 1', true, true, '')", 'query_to_xml'],
    ["SELECT pg_input_is_valid('x', 'a.' || 'b')", 'pg_input_is_valid'],
    ["DO $$ BEGIN EXECUTE 'SELECT 1'; END $$", 'EXECUTE of a computed statement'],
    ["DO LANGUAGE plperl ''", 'language plperl'],
    ['DO $$ not plpgsql $$', 'plpgsql not understood'],
    [
      "PREPARE a AS SELECT set_config('app.x', $1, false)",
      'PREPARE of a statement that sets settings',
    ],
  ])('of %s cannot be undone', (text, reason) => {
    const { effects, reason: found } = read(text);
    expect(effects & Effect.Permanent).toBe(Effect.Permanent);
    expect(found).toBe(reason);
  });
});

describe('settings', () => {
  it.each([
    ['SET Work_Mem = 1', ['work_mem']],
    ["SET TIME ZONE 'UTC'", ['timezone']],
    ["SET NAMES 'UTF8'", ['client_encoding']],
    ["SET SCHEMA 'a'", ['search_path']],
    ['RESET app.tenant; SET a.b TO DEFAULT', ['app.tenant', 'a.b']],
    ["SELECT set_config('App.Tenant', $1, false), set_config('a', 'b', $2)", ['app.tenant', 'a']],
    ["SELECT set_config('a'::text, 'b', false)", ['a']],
    ["DO $$ BEGIN PERFORM set_config('app.x', 'y', false); END $$", ['app.x']],
  ])('of %s are %j', (text, names) => {
    const facts = read(text);
    expect([...facts.settingNames].sort()).toEqual([...names].sort());
    expect(facts.effects & Effect.Settings).toBe(Effect.Settings);
  });

  it('named by a parameter are told by its number', () => {
    const facts = read('SELECT set_config($2, $1, false), set_config($3, $1, true)');
    expect(facts).toMatchObject({ settingParams: [2], effects: Effect.Settings });
    expect(facts.literalDependent).toBe(false);
  });

  it('named by a literal make facts hold for that text only', () => {
    expect(read("SELECT set_config('a', $1, false)").literalDependent).toBe(true);
    expect(read("SET a = 'b'").literalDependent).toBe(false);
  });
});

describe('names', () => {
  it('of WITH queries are no relations where they are visible', () => {
    const names = (text: string) => read(text).relations.map(({ name }) => name);
    expect(names('WITH a AS (SELECT 1) SELECT * FROM a, b')).toEqual(['b']);
    expect(names('WITH a AS (SELECT * FROM a) SELECT * FROM a')).toEqual(['a']);
    expect(names('WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a')).toEqual([]);
    expect(names('WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT FROM b')).toEqual([]);
    expect(names('SELECT (WITH a AS (SELECT 1) SELECT 1 FROM a) FROM a')).toEqual(['a']);
    expect(names('WITH a AS (SELECT 1) SELECT * FROM public.a')).toEqual(['a']);
    expect(names('WITH a AS (SELECT 1) INSERT INTO a SELECT * FROM a')).toEqual(['a']);
  });

  it('of relations say whether they are written', () => {
    expect(read('INSERT INTO a SELECT * FROM s.b').relations).toEqual(
      expect.arrayContaining([
        { schema: null, name: 'a', writes: true },
        { schema: 's', name: 'b', writes: false },
      ]),
    );
    expect(read('COPY a FROM STDIN').relations).toMatchObject([{ writes: true }]);
    expect(read('COPY a TO STDOUT').relations).toMatchObject([{ writes: false }]);
    expect(read('MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE').relations).toEqual(
      expect.arrayContaining([
        { schema: null, name: 'a', writes: true },
        { schema: null, name: 'b', writes: false },
      ]),
    );
  });

  it('of aliases in a locking clause are no relations', () => {
    expect(read('SELECT 1 FROM a AS x FOR UPDATE OF x').relations).toMatchObject([{ name: 'a' }]);
  });

  it('of functions, operators and types are gathered wherever they stand', () => {
    const facts = read(
      `SELECT f(a) FILTER (WHERE a.g(b)) OVER (ORDER BY c USING <<), x ~~> ANY (SELECT h()),
       (r).i, $1::my.t FROM k() AS z(c u) TABLESAMPLE m(1) WHERE a BETWEEN 1 AND 2`.replace(
        'k() AS z(c u) TABLESAMPLE m(1)',
        'q TABLESAMPLE m(1), k() AS z(c u)',
      ),
    );
    expect(facts.functions.map(({ name }) => name).sort()).toEqual(['f', 'g', 'h', 'k', 'm']);
    expect(facts.operators.map(({ name }) => name).sort()).toEqual(
      ['<<', '<', '<=', '>', '>=', '~~>'].sort(),
    );
    expect(facts.types.map(({ schema, name }) => [schema, name])).toEqual(
      expect.arrayContaining([
        ['my', 't'],
        [null, 'u'],
      ]),
    );
    expect(facts.fields).toContain('i');
  });

  it('qualified with pg_catalog need no judging, unless of functions', () => {
    const facts = read('SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.=) $2::int');
    const functions = [{ schema: 'pg_catalog', name: 'lower' }];
    expect(facts).toMatchObject({ functions, operators: [], types: [] });
  });
});

describe('a string continued behind a comment', () => {
  it.each([
    "SELECT set_config('app.x', 'a' -- it's\n 'b', false)",
    "SELECT set_config('app.x', E'\\'' -- $$ c\n '\\' --', false) -- \" d",
    "SELECT $q$ -- $q$, e.\"--\", /* -- */ set_config('app.x' -- c\n\n-- d\n'', 'y', false)",
  ])('is read as the server reads it in %j', (text) => {
    expect(read(text).settingNames).toEqual(['app.x']);
  });

  it('is refused when the text is wrong anyway', () => {
    expect(read("SELECT 'a' -- c\n 'b").unparsed).toBe(true);
    expect(read("SELECT 'a' -- c\n FROM FROM").unparsed).toBe(true);
  });
});

describe('the rest of the facts', () => {
  it.each([
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', true],
    ['DECLARE c CURSOR FOR SELECT 1', false],
    ['RESET ALL; DECLARE c BINARY CURSOR WITH HOLD FOR SELECT 1', true],
    ["LOAD 'a'; DECLARE c CURSOR WITH HOLD FOR SELECT 1; CLOSE d", true],
    ['RESET ALL; CLOSE c', false],
  ])('has whether a cursor outlives its transaction: %s', (text, holdsCursor) => {
    expect(read(text)).toMatchObject({ holdsCursor });
  });

  it.each([
    ['BEGIN', 'begin'],
    ['START TRANSACTION', 'begin'],
    ['END', 'commit'],
    ['COMMIT AND CHAIN', 'commit'],
    ['ABORT', 'rollback'],
    ['ROLLBACK TO a', 'rollbackTo'],
    ["PREPARE TRANSACTION 'a'", 'prepareTransaction'],
    ['SELECT 1; COMMIT', 'mixed'],
    ['SELECT 1', null],
  ])('of %s say how it controls the transaction', (text, transaction) => {
    expect(read(text)).toMatchObject({ transaction });
  });

  it('count statements and name the first', () => {
    expect(read('UPDATE t SET a = 1;; SELECT 1;')).toMatchObject({
      statements: 2,
      verb: 'UpdateStmt',
    });
    expect(read('  -- nothing')).toMatchObject({ statements: 0, verb: '' });
  });

  it('know what no time limit applies to', () => {
    const exempt = ['COPY t TO STDOUT', 'CREATE INDEX ON t (a)', 'VACUUM', 'REINDEX TABLE t'];
    expect(exempt.map((text) => read(text).exempt)).toEqual([true, true, true, true]);
    expect(read('SELECT 1').exempt).toBe(false);
  });

  it('know what changes the catalogue', () => {
    const ddl = ['CREATE TABLE t ()', 'GRANT SELECT ON t TO a', 'SELECT 1 INTO t', 'DROP VIEW v'];
    expect(ddl.map((text) => read(text).ddl)).toEqual([true, true, true, true]);
    expect(read('INSERT INTO t VALUES (1)').ddl).toBe(false);
  });

  it('know what changes it for nobody else', () => {
    const temporary = [
      'CREATE TEMP TABLE t (id serial)',
      'CREATE TABLE pg_temp.t ()',
      'CREATE TEMP TABLE t AS SELECT 1',
      'SELECT 1 INTO TEMP t',
      'CREATE TEMP VIEW v AS SELECT 1',
      'CREATE TEMP SEQUENCE s',
    ].map((text) => read(text));
    expect(temporary.map(({ ddl }) => ddl)).toEqual(temporary.map(() => true));
    expect(temporary.map(({ changesCatalogue }) => changesCatalogue)).toEqual([
      false,
      // Nothing in its words says so but the schema.
      true,
      false,
      false,
      false,
      false,
    ]);
    const more = ['CREATE TABLE t ()', 'CREATE TEMP TABLE t (); DROP TABLE u', 'DROP TABLE t'];
    expect(more.map((text) => read(text).changesCatalogue)).toEqual([true, true, true]);
    expect(read('CREATE TEMP TABLE t AS SELECT 1').relations).toEqual([]);
  });

  it('say that event triggers may hear of a REINDEX, and what a domain checks', () => {
    expect(read('REINDEX TABLE t').ddl).toBe(true);
    expect(read('ALTER DOMAIN s.d VALIDATE CONSTRAINT c').types).toEqual([
      { schema: 's', name: 'd' },
    ]);
  });

  it('name what is asked of the gateway', () => {
    expect(read('SHOW millrace.Last_Status').millraceShow).toBe('last_status');
    expect(read('SHOW millrace.a; SELECT 1').millraceShow).toBeNull();
    expect(read('DEALLOCATE a').deallocates).toBe('a');
    expect(read('DEALLOCATE ALL').deallocates).toBe('');
    expect(read('DISCARD ALL').deallocates).toBe('');
    expect(read('DISCARD PLANS').deallocates).toBeNull();
  });

  it('name the prepared statements that one of several statements makes or removes', () => {
    const several = read('EXECUTE a; DEALLOCATE b; PREPARE c AS SELECT 1; DEALLOCATE b');
    expect(several.takesOver).toEqual(['b', 'c']);
    expect([several.deallocates, several.preparedAs]).toEqual([null, null]);
    expect(read('DEALLOCATE a').takesOver).toEqual([]);
    expect(read('DEALLOCATE ALL; DEALLOCATE a').deallocates).toBe('');
    expect(read('DEALLOCATE a; DEALLOCATE ALL').deallocates).toBe('');
  });

  it('notice what means something only on one link', () => {
    for (const text of [
      "SELECT currval('s')",
      'SELECT pg_catalog.lastval()',
      "SELECT ('s'::regclass).currval",
      'PREPARE a AS SELECT lastval()',
      'DO $$ BEGIN PERFORM lastval(); END $$',
      "DO $$ BEGIN EXECUTE 'SELECT 1'; END $$",
      "DO LANGUAGE plperl ''",
      "SELECT query_to_xml('SELECT lastval()', true, true, '')",
    ]) {
      expect([text, read(text).sequenceState]).toEqual([text, true]);
    }
    for (const text of ["SELECT nextval('s')", "SELECT setval('s', 1)", 'SELECT setseed(0)']) {
      expect([text, read(text).sequenceState]).toEqual([text, false]);
    }
  });

  it('suspect a construct that nobody has heard of', () => {
    const future: SqlParser = {
      ...parser,
      parse: () => ({ stmts: [{ stmt: { SelectStmt: { targetList: [{ NewNode: {} }] } } }] }),
    };
    expect(readFacts(future, 'SELECT new')).toMatchObject({
      effects: Effect.Session,
      reason: 'unknown construct NewNode',
    });
  });
});

describe('a PL/pgSQL body', () => {
  it.each(['x int := f();', 'c CURSOR FOR SELECT f();'])(
    'is read in its declaration %s',
    (declaration) => {
      const facts = read(`DO $$ DECLARE ${declaration} BEGIN END $$`);
      expect(facts.functions).toMatchObject([{ name: 'f' }]);
      expect(facts.effects).toBe(Effect.Session);
    },
  );

  it.each([
    'IF f() THEN NULL; END IF;',
    'CASE 1 WHEN f() THEN NULL; END CASE;',
    'WHILE f() LOOP NULL; END LOOP;',
    'FOR i IN 1..f() LOOP NULL; END LOOP;',
    'FOR r IN SELECT f() LOOP NULL; END LOOP;',
    'FOREACH x IN ARRAY f() LOOP NULL; END LOOP;',
    "RAISE NOTICE '%', f();",
    'ASSERT f();',
    'a[f()] := 1;',
    "a['='] = f();",
    'x := f();',
    'BEGIN NULL; EXCEPTION WHEN OTHERS THEN PERFORM f(); END;',
    'INSERT INTO t VALUES (f()) RETURNING id INTO x;',
    'OPEN c FOR SELECT f();',
  ])('is read in %s', (statement) => {
    const facts = read(`DO $$ DECLARE x int; a int[]; r record; c refcursor;
      BEGIN ${statement} END $$`);
    expect(facts.functions.map(({ name }) => name)).toEqual(['f']);
    expect(facts.effects).toBe(Effect.Session);
  });

  it('is permanent when its statement is computed', () => {
    for (const statement of [
      "FOR r IN EXECUTE 'x' LOOP NULL; END LOOP;",
      "OPEN c FOR EXECUTE 'x';",
    ]) {
      const facts = read(`DO $$ DECLARE r record; c refcursor; BEGIN ${statement} END $$`);
      expect(facts.effects & Effect.Permanent).toBe(Effect.Permanent);
    }
  });
});
