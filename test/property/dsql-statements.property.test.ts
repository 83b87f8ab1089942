/** However a statement is written, and wherever it is put: it is judged for what it is. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { StatementJudge } from '../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../src/origin/parser.ts';
import type { SqlParser } from '../../src/sql/facts/parser.ts';

let parser: SqlParser;
let judge: StatementJudge;
beforeAll(async () => {
  parser = await loadParser();
  judge = new StatementJudge(parser);
});

/** What stands between two tokens and means nothing. */
const gap = fc.constantFrom(
  ' ',
  '\n',
  '\t \r\n',
  '/**/',
  ' /* a; \' " $$ /* nested -- */ */ ',
  ' -- it\'s; "a\n',
  '\f--\n',
  '/*é*/',
);

const inAnyCase = (word: string) =>
  fc
    .array(fc.boolean(), { minLength: word.length, maxLength: word.length })
    .map((upper) =>
      [...word].map((one, at) => (upper[at] ? one.toUpperCase() : one.toLowerCase())).join(''),
    );

/** `U&"…"` with some characters as escapes, which can begin with a character of one's own. */
const escaped = (name: string) =>
  fc
    .tuple(
      fc.array(fc.nat(2), { minLength: name.length, maxLength: name.length }),
      fc.constantFrom('\\', '!', '#'),
    )
    .map(([forms, sign]) => {
      const hex = (one: string, size: number) => one.charCodeAt(0).toString(16).padStart(size, '0');
      const text = [...name]
        .map((one, at) => [one, `${sign}${hex(one, 4)}`, `${sign}+${hex(one, 6)}`][forms[at] ?? 0])
        .join('');
      return `U&"${text}"${sign === '\\' ? '' : ` UESCAPE '${sign}'`}`;
    });

/** A name in lower case as it can be written. */
const spelled = (name: string) =>
  fc.oneof(inAnyCase(name), fc.constant(`"${name}"`), escaped(name));

/** A text as a literal of PostgreSQL. */
const quoted = (text: string) =>
  fc.oneof(
    fc.constant(`'${text.replaceAll("'", "''")}'`),
    fc.constantFrom('$a$', '$Ü_1$', '$_$').map((tag) => `${tag}${text}${tag}`),
    fc
      .nat(5)
      .map((every) =>
        [...text].map((one, at) => (at % 6 === every ? escapeOf(one) : plainIn(one))).join(''),
      )
      .map((inner) => `E'${inner}'`),
    fc.nat(5).map((every) => {
      const inner = [...text]
        .map((one, at) => {
          const code = one.charCodeAt(0).toString(16).padStart(4, '0');
          return at % 6 === every || one === '\\' ? `\\${code}` : one === "'" ? "''" : one;
        })
        .join('');
      return `U&'${inner}'`;
    }),
    // Two literals with a newline between are one.
    fc.nat(text.length).map((at) => {
      const half = (part: string) => `'${part.replaceAll("'", "''")}'`;
      return `${half(text.slice(0, at))} \n ${half(text.slice(at))}`;
    }),
  );
const escapeOf = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
const plainIn = (one: string): string => (one === "'" || one === '\\' ? `\\${one}` : one);

/** Tokens with anything between them. */
const joined = (tokens: readonly fc.Arbitrary<string>[]) =>
  fc
    .tuple(
      fc.tuple(...tokens),
      fc.array(gap, { minLength: tokens.length, maxLength: tokens.length }),
    )
    .map(([words, gaps]) => words.map((word, at) => `${gaps[at]}${word}`).join(''));

/** Words in any case; names in braces can be written in any way that a name can. */
const written = (text: string) =>
  joined(
    text
      .split(' ')
      .map((token) =>
        token.startsWith('{')
          ? spelled(token.slice(1, -1))
          : /^[a-zA-Z]+$/.test(token)
            ? inAnyCase(token)
            : fc.constant(token),
      ),
  );

const functions = fc.constantFrom(
  ...`pg_backend_pid set_config pg_terminate_backend pg_advisory_lock pg_read_file lo_import
  pg_notify query_to_xml setseed dblink`.split(/\s+/),
);

/** A call that is refused. */
const call = fc
  .tuple(functions, fc.constantFrom('', '{pg_catalog} . '))
  .chain(([name, schema]) => written(`${schema}{${name}} ( 1 , a )`));

/** Queries with such a call deep inside. */
const hiddenCall = call.chain((one) =>
  fc.constantFrom(
    `SELECT${one}`,
    `WITH a AS (SELECT 1), b AS (SELECT * FROM a, LATERAL (SELECT${one}) c) TABLE b`,
    `WITH a AS (INSERT INTO t VALUES (${one}) RETURNING *) SELECT 1`,
    `SELECT ARRAY[CASE WHEN EXISTS (SELECT FROM t WHERE a = ANY (SELECT${one})) THEN 1 END]`,
    `UPDATE t SET (a, b) = (SELECT 1, f(x => ${one}))`,
    `SELECT * FROM ROWS FROM (now(), ${one}) WITH ORDINALITY`,
    `SELECT sum(a) FILTER (WHERE b) OVER (ORDER BY ${one}) FROM t`,
  ),
);

/** Queries that are refused for what they are. */
const hiddenQuery = fc
  .constantFrom(
    'SELECT 1 INTO t',
    'MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE',
    'SELECT * FROM t TABLESAMPLE system ( 1 )',
    'SELECT * FROM t FOR SHARE',
    'UPDATE {pg_settings} SET a = 1',
    'WITH a AS ( DELETE FROM {pg_catalog} . {pg_settings} ) SELECT 1',
  )
  .chain(written);

const query = fc.oneof(hiddenCall, hiddenQuery);

/** Other statements that are refused. */
const statement = fc
  .constantFrom(
    'TRUNCATE {t}',
    'LISTEN {c}',
    'LOCK TABLE {t}',
    'SET {work_mem} = 1',
    'SET SESSION {statement_timeout} TO DEFAULT',
    'RESET {role}',
    'SET ROLE {r}',
    'SET {search_path} = a , {pg_temp}',
    'SAVEPOINT {s}',
    'BEGIN ISOLATION LEVEL SERIALIZABLE',
    'CREATE TEMP TABLE {t} ( a int )',
    'CREATE TABLE {pg_temp} . {t} ( a int )',
    'CREATE TABLE {t} ( a {serial} )',
    'CREATE TABLE {t} ( a {inet} )',
    'CREATE TABLE {t} ( a {pg_catalog} . {inet} )',
    'CREATE TABLE {t} ( a int [ ] )',
    'CREATE INDEX {i} ON {t} ( a )',
    'CREATE INDEX ASYNC {i} ON {t} USING {btree} ( a )',
    'CREATE ROLE {r} SUPERUSER',
    'GRANT {pg_read_server_files} TO {r}',
    'GRANT USAGE ON SCHEMA {public} TO {r}',
    "COPY {t} TO PROGRAM 'x'",
    'ALTER TABLE {t} ENABLE ROW LEVEL SECURITY',
    'DROP TYPE {t}',
    'CREATE EXTENSION {dblink}',
    'DO $$ BEGIN END $$',
    'CALL {p} ( )',
  )
  .chain(written);

/** A query, or the same inside of another statement. */
const wrapped = query.chain((one) =>
  fc.oneof(
    fc.constant(one),
    fc.constantFrom(
      `EXPLAIN (VERBOSE) ${one}`,
      `PREPARE p (int) AS ${one}`,
      `CREATE VIEW v AS ${one}`,
      `COPY (${one}) TO STDOUT`,
      `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; ${one}; END`,
    ),
    fc
      .tuple(gap, quoted(`SELECT 1; ${one}`))
      .map(([space, body]) => `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS${space}${body}`),
  ),
);

const accepted = fc
  .constantFrom(
    'SELECT 1',
    "SELECT 'é;' , $$;TRUNCATE--$$",
    'INSERT INTO {t} VALUES ( 1 )',
    'SELECT * FROM {t} FOR UPDATE',
    'CREATE TABLE {t} ( a numeric , b int )',
    'CREATE INDEX ASYNC {i} ON {t} ( a )',
    'ALTER TABLE ASYNC {t} VALIDATE CONSTRAINT {c}',
    "AWS IAM GRANT r TO 'arn;'",
    'SET {timezone} = {utc}',
    'COMMIT',
    'DROP TABLE {t}',
  )
  .chain((text) => written(text).map((one) => ({ plain: text.replaceAll(/[{}]/g, ''), one })));

const isReadable = (text: string): boolean => {
  try {
    parser.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('a statement that is refused', () => {
  // dsql §5.48, §8.6
  it('is so in every spelling, alone and behind others', () => {
    fc.assert(
      fc.property(
        fc.array(accepted, { maxLength: 3 }),
        fc.oneof(wrapped, statement),
        (before, bad) => {
          const { statements, refused } = judge.judge(
            [...before.map(({ one }) => one), bad, 'SELECT 2'].join(';'),
          );
          expect(refused).not.toBeNull();
          if (refused?.sqlstate !== '42601') expect(statements).toHaveLength(before.length);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  it('is so for what it is, and not for how it is written', () => {
    let readable = 0;
    fc.assert(
      fc.property(fc.oneof(hiddenCall, hiddenQuery), (text) => {
        const { refused } = judge.judge(text);
        if (!isReadable(text)) return;
        readable++;
        expect(refused?.sqlstate).toBe('0A000');
      }),
      { numRuns: 500 },
    );
    // Else the property above would only prove that nonsense is refused.
    expect(readable).toBeGreaterThan(400);
  });
});

describe('a statement that is accepted', () => {
  it('is the same in every spelling, and is found among others', () => {
    fc.assert(
      fc.property(fc.array(accepted, { minLength: 1, maxLength: 5 }), (parts) => {
        const { statements, refused } = judge.judge(parts.map(({ one }) => one).join(';'));
        expect(refused?.message ?? null).toBeNull();
        const plain = parts.map((part) => judge.judge(part.plain).statements[0]?.action);
        expect(statements.map(({ action }) => action)).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  it('is run as a text that is accepted again, and not changed any more', () => {
    fc.assert(
      fc.property(accepted, ({ one }) => {
        const [first] = judge.judge(one).statements;
        const kind = first?.action.kind;
        // A job is run by the endpoint, as the statement that clients may not send.
        if (first === undefined || kind === 'job' || kind === 'role') return;
        expect(judge.judge(first.text).statements).toEqual([first]);
      }),
      { numRuns: 300 },
    );
  });
});

// dsql §8.6
it('gives an answer for any text', () => {
  const piece = fc.oneof(
    fc.constantFrom('aws', 'iam', 'create', 'index', 'async', 'alter', 'table', "'", '"', '$$'),
    fc.constantFrom('/*', '--', ';', '(', ')', 'U&"', "E'\\", 'version(', 'as', '$1', '\u0001'),
    fc.string({ unit: 'grapheme', maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom('', ' '), (pieces, between) => {
      const { statements, refused } = judge.judge(pieces.join(between));
      if (refused === null) return;
      expect(statements.length === 0 || refused.sqlstate !== '42601').toBe(true);
    }),
    { numRuns: 3_000 },
  );
});
