/** The simple protocol. PostgreSQL manual, "Message Flow", "Simple Query". */
import { type Script, step } from '../../support/transcript.ts';
import {
  bind,
  execute,
  flush,
  functionCall,
  parse,
  query,
  sync,
} from '../../support/wire-messages.ts';

export const RESET_ITEMS = `TRUNCATE item; INSERT INTO item VALUES (1, 'one'), (2, 'two')`;

const NOTICE = (text: string) => `DO $$BEGIN RAISE NOTICE '${text}' USING HINT = 'a hint'; END$$`;

export const SIMPLE_SCRIPTS: readonly Script[] = [
  {
    name: 'a query, an empty query and white space',
    steps: [
      step(query('SELECT 1 AS one, NULL AS nothing, $$text$$ AS text')),
      step(query('')),
      step(query('  \n -- only a comment')),
      step(query(';')),
      step(query('SELECT')),
    ],
  },
  {
    name: 'several statements in one query',
    reset: RESET_ITEMS,
    steps: [
      step(query("SELECT 1; SELECT 'two'; UPDATE item SET body = body; SELECT 4;")),
      step(query(';;SELECT 1;;')),
      step(query('SELECT 1; SELECT 1/0; SELECT 3')),
      step(query("INSERT INTO item VALUES (3, 'x'); INSERT INTO item VALUES (3, 'y')")),
      step(query('SELECT count(*) FROM item')),
    ],
  },
  {
    name: 'several queries at once',
    steps: [
      step(query('SELECT 1'), query('SELECT 1/0'), query('SELECT nothing'), query('SELECT 4')),
      step(
        query('BEGIN'),
        query('SELECT 1/0'),
        query('SELECT 2'),
        query('COMMIT'),
        query('SELECT 5'),
      ),
    ],
  },
  {
    name: 'errors with every kind of field',
    reset: RESET_ITEMS,
    steps: [
      step(query('SELEC 1')),
      step(query('SELECT nothing FROM item')),
      step(query("INSERT INTO item VALUES (1, 'again')")),
      step(query('INSERT INTO item VALUES (NULL)')),
      step(query("SELECT 'a'::int")),
      step(
        query(`DO $$BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'ZZ123', DETAIL = 'd',
      HINT = 'h', TABLE = 't', COLUMN = 'c', SCHEMA = 's', CONSTRAINT = 'k', DATATYPE = 'y'; END$$`),
      ),
    ],
  },
  {
    name: 'status bytes of a transaction that commits, fails, and is rolled back',
    steps: [
      step(query('BEGIN')),
      step(query('SELECT 1')),
      step(query('COMMIT')),
      step(query('BEGIN')),
      step(query('SELECT 1/0')),
      step(query('SELECT 1')),
      step(query('')),
      step(query('COMMIT')),
      step(query('BEGIN; SELECT 1; ROLLBACK')),
      step(query('BEGIN; SELECT 1/0; ROLLBACK')),
      step(query('ROLLBACK')),
      step(query('COMMIT')),
      step(query('BEGIN'), query('BEGIN'), query('SAVEPOINT a'), query('SELECT 1/0')),
      step(query('ROLLBACK TO a'), query('SELECT 2'), query('COMMIT AND CHAIN'), query('ROLLBACK')),
    ],
  },
  {
    name: 'notices and warnings',
    steps: [
      step(query(NOTICE('first'))),
      step(query(`${NOTICE('second')}; SELECT 1; ${NOTICE('third')}`)),
      step(parse('', NOTICE('fourth')), bind('', ''), execute(), sync()),
      step(query('DROP TABLE IF EXISTS there_is_none')),
      step(query("SET client_min_messages = 'error'"), query(NOTICE('unheard'))),
      step(query('RESET client_min_messages'), query(NOTICE('heard'))),
    ],
  },
  {
    name: 'rows large and many',
    steps: [
      step(query("SELECT repeat('Z', 300000)")),
      step(query("SELECT i, repeat('E', i % 500) FROM generate_series(1, 2000) AS i")),
      step(query(`SELECT length('${'x'.repeat(100_000)}')`)),
    ],
  },
  {
    name: 'settings that are reported, set and taken back',
    steps: [
      step(query("SET TimeZone = 'Asia/Tokyo'"), query('SHOW TimeZone')),
      step(query("BEGIN; SET TimeZone = 'UTC'"), query('ROLLBACK'), query('SHOW TimeZone')),
      step(
        query("BEGIN; SET LOCAL DateStyle = 'German'"),
        query('COMMIT'),
        query('SHOW DateStyle'),
      ),
      step(query("SELECT set_config('IntervalStyle', 'iso_8601', false)")),
      step(query("SELECT interval '1 day', set_config('IntervalStyle', 'postgres', false)")),
      step(query("SET application_name = 'it''s mine'"), query('SHOW application_name')),
      step(query("SET search_path = 'nowhere', public"), query('SHOW search_path')),
      step(query('SET work_mem = 1'), query('SHOW work_mem')),
      step(query("SET work_mem = '7MB'"), query('SHOW work_mem'), query('RESET work_mem')),
      step(query('RESET TimeZone'), query('SHOW TimeZone'), query('RESET search_path')),
    ],
  },
  {
    name: 'RESET ALL and the application name that the client did not give',
    steps: [
      step(query("SET application_name = 'mine'"), query("SET TimeZone = 'Asia/Tokyo'")),
      step(query('RESET ALL'), query('SHOW application_name'), query('SHOW TimeZone')),
    ],
  },
  {
    name: 'function calls by number',
    steps: [
      // 1642 is now(), 2308 abs(float8), 1317 length(text), 1257 textcat
      step(functionCall(1_317, ['four'])),
      step(functionCall(1_317, [null])),
      step(functionCall(1_317, ['four'], 1)),
      step(functionCall(999_999_999, [])),
      step(functionCall(1_257, ['left']), query('SELECT 1')),
      step(
        query('BEGIN'),
        functionCall(1_317, ['x']),
        functionCall(999_999_999, []),
        query('COMMIT'),
      ),
    ],
    isPinned: true,
  },
  {
    name: 'LISTEN and NOTIFY to oneself',
    isPinned: true,
    steps: [
      step(query('LISTEN news')),
      step(query("NOTIFY news, 'hello'")),
      step(query("BEGIN; NOTIFY news, 'one'; NOTIFY news, 'two'; COMMIT")),
      step(parse('', "SELECT pg_notify('news', 'by parameter')"), bind('', ''), execute(), sync()),
      step(query('UNLISTEN news'), query("NOTIFY news, 'unheard'")),
    ],
  },
  {
    name: 'temporary tables and cursors',
    isPinned: true,
    steps: [
      step(query('CREATE TEMP TABLE mine (n int)'), query('INSERT INTO mine VALUES (1), (2), (3)')),
      step(query('BEGIN; DECLARE c CURSOR FOR SELECT n + 0 AS n FROM mine ORDER BY n')),
      step(query('FETCH 2 FROM c'), query('MOVE 1 IN c'), query('FETCH c'), query('CLOSE c')),
      step(query('FETCH c'), query('ROLLBACK')),
      step(
        query('DECLARE h CURSOR WITH HOLD FOR SELECT n + 0 AS n FROM mine'),
        query('FETCH ALL FROM h'),
      ),
      step(query('CLOSE h'), query('DROP TABLE mine'), query('SELECT * FROM mine')),
    ],
  },
  {
    name: 'a query that only a Flush follows',
    steps: [step(query('SELECT 1'), flush()), step(query('SELECT 2'))],
  },
];
