import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ask,
  extended,
  settledStatus,
  simple,
  statusOf,
  transcript,
  warm,
} from '../support/cached.ts';
import { TestGateway } from '../support/gateway.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import * as wire from '../support/wire-messages.ts';

const SCHEMA = `
  CREATE TABLE t (id int PRIMARY KEY, name text, n numeric, at timestamptz, d date, f float8,
    b bytea, j jsonb, a int[], o bool);
  INSERT INTO t SELECT i, 'name ' || i, i / 3.0, '2024-01-02 03:04:05+00'::timestamptz + i * '1 h'
    ::interval, '2024-02-03'::date + i, i / 7.0, '\\x00ff'::bytea, jsonb_build_object('i', i),
    ARRAY[i, NULL], i % 2 = 0 FROM generate_series(1, 50) AS i;
  INSERT INTO t (id) VALUES (99);
  CREATE TABLE u (id int);
  CREATE VIEW v AS SELECT id, name FROM t WHERE id < 10;
  CREATE TABLE parent (id int PRIMARY KEY);
  CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE);
  CREATE TABLE audited (id int);
  CREATE TABLE audit (id int);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NEW; END';
  CREATE TRIGGER noting AFTER INSERT ON audited FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TABLE parts (id int) PARTITION BY RANGE (id);
  CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
  CREATE FUNCTION put(x int) RETURNS int LANGUAGE plpgsql AS
    'BEGIN INSERT INTO u VALUES (x); RETURN x; END';
  CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM u;
  CREATE TABLE renamed (id int);
  CREATE FUNCTION sized(int4) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'small'$$;
  CREATE FUNCTION sized(int8) RETURNS text VOLATILE LANGUAGE sql AS $$SELECT 'large'$$;
  CREATE TABLE secured (id int, owner text);
  ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
  CREATE SCHEMA s1; CREATE SCHEMA s2;
  CREATE TABLE s1.where_am_i (w text); INSERT INTO s1.where_am_i VALUES ('s1');
  CREATE TABLE s2.where_am_i (w text); INSERT INTO s2.where_am_i VALUES ('s2');
`;

let gateway: TestGateway;
let direct: WireClient;
let client: WireClient;
let other: WireClient;

beforeAll(async () => {
  gateway = await TestGateway.start({ links: 4, caching: {} });
  direct = await gateway.connectDirect();
  await direct.rows(SCHEMA);
});

afterAll(async () => {
  await direct.end();
  await gateway.stop();
});

beforeEach(async () => {
  client = await gateway.connect();
  other = await gateway.connect();
  return async () => {
    await client.end();
    await other.end();
  };
});

const CORPUS: readonly (readonly [sql: string])[] = [
  ['SELECT 1'],
  ['SELECT'],
  ['SELECT * FROM t ORDER BY id'],
  ['TABLE u'],
  ['VALUES (1, NULL), (2, $$x$$)'],
  ['SELECT id, name FROM v /* a comment */ ORDER BY 1 -- and another'],
  ["SELECT name || ' random() -- no' FROM t WHERE id = 3;"],
  ['WITH x AS (SELECT id, a FROM t) SELECT sum(id), count(a) FROM x'],
  ['SELECT (SELECT max(id) FROM u), EXISTS (SELECT FROM t WHERE o)'],
  ['SELECT id FROM t WHERE id > 1000'],
  ['SELECT d, at, f, n, b, j FROM t WHERE id = 7'],
  ['SELECT repeat(name, 3000) FROM t ORDER BY id'],
  ['SELECT \'ü€😀\' AS "ü"'],
];
const BOUND: readonly (readonly [sql: string, ...parameters: wire.Value[]])[] = [
  ['SELECT name FROM t WHERE id = $1', '3'],
  ['SELECT name, $2::text FROM t WHERE id = $1 OR name = $2', '3', "it's $1"],
  ['SELECT $1::int IS NULL', null],
  ['SELECT id FROM t WHERE id = ANY ($1) ORDER BY id LIMIT $2', '{1,2,3}', '2'],
  ['SELECT at FROM t WHERE d > $1 ORDER BY id', '2024-02-20'],
];

describe('what only looks as if it could be kept', () => {
  it.each([
    ["SELECT '{n\\ow}'::timestamp[] FROM t WHERE id = 1", 'volatile'],
    ['SELECT \'[n"o"w,infinity)\'::tsrange FROM t WHERE id = 1', 'volatile'],
    // A lock of the row changes it.
    ['SELECT xmax FROM t WHERE id = 1', 'uncacheable'],
    ['SELECT s.x FROM (SELECT cmax AS x FROM t) AS s', 'uncacheable'],
  ])('is not: %s', async (text, status) => {
    expect(await settledStatus(client, simple(text))).toBe(status);
  });

  it('is of the table that is named, where its name ends with a blank of others', async () => {
    await client.rows('CREATE TABLE "u\u2003" (id int)');
    await warm(client, simple('SELECT count(*) FROM u\u2003'));
    await other.rows('INSERT INTO u\u2003 VALUES (1)');
    expect(rowsOf(await ask(client, simple('SELECT count(*) FROM u\u2003')))).toEqual([['1']]);
  });
});

describe('statements that differ in the values of literals', () => {
  // Fails when Resolutions.find looks for nothing but the text.
  it('are resolved once, and each is kept for itself', async () => {
    const text = (id: number): string => `SELECT name AS alike FROM t WHERE id = ${id} OR id = 99`;
    await warm(client, simple(text(0)));
    const statuses = async (from: number): Promise<string[]> => {
      const seen: string[] = [];
      for (let id = from; id < from + 200; id++) {
        await ask(client, simple(text(id)));
        seen.push(await statusOf(client));
      }
      return seen;
    };
    expect(new Set(await statuses(1))).toEqual(new Set(['miss']));
    expect(new Set(await statuses(1))).toEqual(new Set(['hit']));
    expect(rowsOf(await ask(client, simple(text(7))))).toEqual([['name 7'], [null]]);
  });

  // Fails when the kinds of numbers do not count.
  it('are not, where another literal means another function', async () => {
    await warm(client, simple('SELECT sized(1) FROM t WHERE id = 1'));
    const large = simple('SELECT sized(3000000000) FROM t WHERE id = 1');
    expect(await settledStatus(client, large)).toBe('volatile');
    expect(await settledStatus(client, simple('SELECT sized(2) FROM t WHERE id = 1'))).toBe('hit');
  });

  it('are not, where the sign or the size of a float makes another type', async () => {
    await warm(client, simple('SELECT sized(-2147483648) FROM t WHERE id = 1'));
    const larger = simple('SELECT sized(-2147483649) FROM t WHERE id = 1');
    expect(await settledStatus(client, larger)).toBe('volatile');
  });

  // Fails when what PostgreSQL refuses counts for other literals too.
  it('are not, where one of them is refused', async () => {
    const wrong = simple("SELECT name FROM t WHERE d = 'no date at all'");
    expect(await settledStatus(client, wrong)).toBe('uncacheable');
    await warm(client, simple("SELECT name FROM t WHERE d = '2024-02-04'"));
  });
});

describe('an answer from the cache has the bytes of one from the server', () => {
  it.each(CORPUS)('to a simple Query: %s', async (sql) => {
    const expected = await ask(direct, simple(sql));
    await warm(client, simple(sql));
    expect(transcript(await ask(client, simple(sql)))).toEqual(transcript(expected));
    expect(await statusOf(client)).toBe('hit');
  });

  const all = [...CORPUS, ...BOUND].map(([sql, ...parameters]) => ({ sql, parameters }));

  it.each(all)('in the extended protocol: $sql', async ({ sql, parameters }) => {
    for (const formats of [[], [1]]) {
      const messages = extended(sql, parameters, sql === 'SELECT' ? [] : formats);
      const expected = await ask(direct, messages);
      await warm(client, messages);
      expect(transcript(await ask(client, messages))).toEqual(transcript(expected));
      expect(await statusOf(client)).toBe('hit');
    }
  });

  it('of a named statement, described or not, prepared on a hit or before', async () => {
    const sql = 'SELECT id, name FROM t WHERE id = $1';
    const run = (...more: Uint8Array[]) => [...more, wire.execute(), wire.sync()];
    const first = [wire.parse('a', sql, [23]), wire.bind('', 'a', ['4'])];
    const describe = wire.describeMessage('P', '');
    const expected = await ask(direct, ...run(...first, describe));
    const again = await ask(direct, ...run(wire.bind('', 'a', ['4'])));
    await warm(other, extended(sql, ['4'], [], [23]));
    expect(transcript(await ask(client, ...run(...first, describe)))).toEqual(transcript(expected));
    expect(await statusOf(client)).toBe('hit');
    expect(transcript(await ask(client, ...run(wire.bind('', 'a', ['4']))))).toEqual(
      transcript(again),
    );
    expect(await statusOf(client)).toBe('hit');
    // The name that was given without a server works on one.
    const missed = await ask(client, ...run(wire.bind('', 'a', ['5'])));
    expect(rowsOf(missed)).toEqual([['5', 'name 5']]);
    expect(errorsOf(await ask(client, wire.parse('a', sql), wire.sync()))).toEqual(['42P05']);
    await ask(direct, wire.closeMessage('S', 'a'), wire.sync());
  });

  it('in a pipeline, in the order of what was asked', async () => {
    const hit = extended('SELECT name FROM t WHERE id = $1', ['8']);
    await warm(client, hit);
    client.send(hit, simple('SELECT 8 AS x'), hit, wire.query('SELECT now() IS NULL'), hit);
    const replies = await client.readReady(5);
    expect(codesOf(replies)).toBe('12TDCZTDCZ12TDCZTDCZ12TDCZ');
    expect(rowsOf(replies).flat()).toEqual(['name 8', '8', 'name 8', 'f', 'name 8']);
  });
});

describe('what is not kept', () => {
  it.each([
    ['SELECT now()', 'volatile'],
    ['SELECT random()', 'volatile'],
    ["SELECT 'today'::date", 'volatile'],
    ["SELECT '10:00+01'::timetz", 'volatile'],
    ['SELECT * FROM secured', 'uncacheable'],
    ['SELECT * FROM pg_class', 'uncacheable'],
    ['SELECT * FROM t FOR UPDATE', 'uncacheable'],
    ['SELECT put(1)', 'volatile'],
    ['WITH x AS (INSERT INTO u VALUES (5) RETURNING id) SELECT * FROM x', 'uncacheable'],
    ['SELECT nonsense FROM t', 'uncacheable'],
    ['SELECT 1; SELECT 2', 'multiplestatements'],
    ['SELEC 1', 'parseerror'],
    ['EXPLAIN SELECT 1', 'notaquery'],
    ['UPDATE t SET id = id WHERE false', 'notaquery'],
    ['/* millrace: no-cache */ SELECT 1', 'disabled'],
    [`SELECT '${'x'.repeat(70_000)}'`, 'oversizedquery'],
  ])('%s', async (sql, status) => {
    expect(await settledStatus(client, simple(sql))).toBe(status);
  });

  it('a time in a parameter, a portal with a limit of rows, a statement in a transaction', async () => {
    const dated = extended('SELECT $1::text', ['tomorrow at noon']);
    expect(await settledStatus(client, dated)).toBe('volatile');
    const limited = [
      wire.parse('', 'SELECT 1'),
      wire.bind('', ''),
      wire.execute('', 1),
      wire.sync(),
    ];
    expect(await settledStatus(client, ...limited)).toBe('uncacheable');
    await warm(client, simple('SELECT 1'));
    await client.ask('BEGIN');
    await client.ask('SELECT 1');
    client.send(wire.query('SHOW millrace.last_cache_status'));
    expect(rowsOf(await client.readReady())).toEqual([['transaction']]);
    await client.ask('COMMIT');
  });

  it('anything for a client that has turned it off', async () => {
    await warm(other, simple('SELECT 11'));
    await client.ask('SET millrace.cache = off');
    expect(await settledStatus(client, simple('SELECT 11'))).toBe('disabled');
    expect(rowsOf(await client.ask('SHOW millrace.cache'))).toEqual([['off']]);
    await client.ask('RESET millrace.cache');
    await warm(client, simple('SELECT 11'));
  });
});

/** What is read, and what makes it another answer at once. */
const WRITES: readonly (readonly [how: string, read: string, write: string])[] = [
  ['INSERT', 'SELECT count(*) FROM u', 'INSERT INTO u VALUES (1)'],
  ['a view', 'SELECT count(*) FROM v', 'DELETE FROM t WHERE id = 2'],
  ['a cascade', 'SELECT count(*) FROM child', 'DELETE FROM parent'],
  ['a trigger', 'SELECT count(*) FROM audit', 'INSERT INTO audited VALUES (1)'],
  ['a partition, from above', 'SELECT count(*) FROM low', 'INSERT INTO parts VALUES (1)'],
  ['a partition, from below', 'SELECT count(*) FROM parts', 'INSERT INTO low VALUES (2)'],
  ['a function', 'SELECT count(*) FROM u', 'SELECT put(7)'],
  ['DO', 'SELECT count(*) FROM u', 'DO $$ BEGIN INSERT INTO u VALUES (3); END $$'],
  ['a WITH', 'SELECT count(*) FROM u', 'WITH x AS (DELETE FROM u RETURNING id) SELECT 1'],
  ['MERGE', 'SELECT count(*) FROM u', MERGE()],
  ['REFRESH', 'SELECT * FROM kept', 'REFRESH MATERIALIZED VIEW kept'],
  ['EXECUTE', 'SELECT count(*) FROM u', 'PREPARE p AS INSERT INTO u VALUES (4); EXECUTE p'],
  ['several statements', 'SELECT count(*) FROM u', 'SELECT 1; INSERT INTO u VALUES (1)'],
  ['TRUNCATE', 'SELECT count(*) FROM u', 'TRUNCATE u'],
  ['ALTER', 'SELECT * FROM renamed', 'ALTER TABLE renamed ADD COLUMN other int'],
  [
    'a view made anew',
    'SELECT * FROM v LIMIT 1',
    'CREATE OR REPLACE VIEW v AS SELECT 0 AS id, name FROM t',
  ],
];

function MERGE(): string {
  return `MERGE INTO u USING (VALUES (1)) AS x(id) ON false
    WHEN NOT MATCHED THEN INSERT VALUES (x.id)`;
}

describe('everybody sees what was written as soon as it is acknowledged', () => {
  it.each(WRITES)('%s', async (_how, read, write) => {
    await direct.rows('INSERT INTO parent VALUES (1) ON CONFLICT DO NOTHING');
    await direct.rows('INSERT INTO child SELECT 1 FROM parent');
    await direct.rows('INSERT INTO u VALUES (9)');
    await client.ask('SELECT 1; SELECT 2');
    const before = transcript(await warm(client, simple(read)));
    await other.ask(write);
    const after = transcript(await client.ask(read));
    expect(after).toEqual(transcript(await direct.ask(read)));
    expect(after).not.toEqual(before);
  });

  it('COPY, and what a transaction writes only when it commits', async () => {
    const read = simple('SELECT count(*) FROM u');
    const count = async () => Number(rowsOf(await ask(client, read))[0]?.[0]);
    await warm(client, read);
    const before = await count();
    other.send(wire.query('COPY u FROM STDIN'));
    expect((await other.read()).code).toBe('G');
    other.send(wire.copyData('5\n'), wire.copyDone());
    await other.readReady();
    expect(await count()).toBe(before + 1);
    await warm(client, read);
    await other.ask('BEGIN');
    await other.ask('INSERT INTO u VALUES (6)');
    expect(await count()).toBe(before + 1);
    await other.ask('COMMIT');
    expect(await count()).toBe(before + 2);
    await warm(client, read);
    await other.ask('BEGIN; DELETE FROM u');
    await other.ask('ROLLBACK');
    expect(await count()).toBe(before + 2);
  });

  it('a client its own write, in one go with it', async () => {
    const read = simple('SELECT count(*) FROM u');
    const before = Number(rowsOf(await warm(client, read))[0]?.[0]);
    client.send(simple('INSERT INTO u VALUES (1)'), read);
    expect(Number(rowsOf(await client.readReady(2))[0]?.[0])).toBe(before + 1);
  });

  it('what a client wrote that left before it was told', async () => {
    const read = simple('SELECT count(*) FROM audit');
    const before = Number(rowsOf(await warm(client, read))[0]?.[0]);
    const leaving = await gateway.connect();
    leaving.send(simple('INSERT INTO audit SELECT 1 FROM pg_sleep(0.2)'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    leaving.vanish('rst');
    // While it may still be written, nothing is kept that could be old.
    for (let now = before; now === before; ) {
      const asked = Number(rowsOf(await ask(client, read))[0]?.[0]);
      const real = Number((await direct.rows('SELECT count(*) FROM audit'))[0]?.[0]);
      expect(asked).toBeLessThanOrEqual(real);
      now = asked;
    }
    expect(rowsOf(await ask(client, read))).toEqual([[`${before + 1}`]]);
  });
});

/** Settings under which the same statement has another answer. */
const SETTINGS: readonly (readonly [name: string, value: string, sql: string])[] = [
  ['search_path', 's2', 'SELECT w FROM where_am_i'],
  ['timezone', 'Asia/Tokyo', 'SELECT at FROM t WHERE id = 5'],
  ['datestyle', 'German', 'SELECT d FROM t WHERE id = 5'],
  ['intervalstyle', 'iso_8601', "SELECT '1 day 2 hours'::interval + '1 h'"],
  ['extra_float_digits', '-5', 'SELECT f FROM t WHERE id = 5'],
  ['bytea_output', 'escape', 'SELECT b FROM t WHERE id = 5'],
  ['client_encoding', 'LATIN1', 'SELECT chr(233)'],
];

describe('clients with other settings', () => {
  it.each(SETTINGS)('do not share an answer: %s', async (name, value, sql) => {
    const path = name === 'search_path' ? 's1' : '"$user", public';
    for (const one of [client, other, direct]) await one.ask(`SET search_path = ${path}`);
    const plain = transcript(await warm(client, simple(sql)));
    await other.ask(`SET ${name} = '${value}'`);
    await direct.ask(`SET ${name} = '${value}'`);
    const expected = transcript(await direct.ask(sql)).filter((line) => line[0] !== 'S');
    expect(transcript(await warm(other, simple(sql)))).toEqual(expected);
    expect(expected).not.toEqual(plain);
    // The control: with the same settings they do share.
    expect(transcript(await client.ask(sql))).toEqual(plain);
    expect(await statusOf(client)).toBe('hit');
    await direct.ask('RESET ALL');
  });

  it('share an answer when only their names differ', async () => {
    await warm(client, simple('SELECT 77'));
    await other.ask("SET application_name = 'another'");
    expect(await settledStatus(other, simple('SELECT 77'))).toBe('hit');
  });

  it('that have become another role are not answered from the cache', async () => {
    await direct.rows('CREATE ROLE cache_nobody');
    await warm(client, simple('SELECT id FROM renamed'));
    await other.ask('SET ROLE cache_nobody');
    expect(errorsOf(await other.ask('SELECT id FROM renamed'))).toEqual(['42501']);
    await other.ask('RESET ROLE');
    expect(errorsOf(await other.ask('SELECT id FROM renamed'))).toEqual([]);
    await direct.rows('DROP ROLE cache_nobody');
  });
});
