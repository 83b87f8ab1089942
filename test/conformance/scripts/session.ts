/** What a session is made of beside its statements: cursors, large objects, modes, locks, roles. */
import { type Script, step } from '../../support/transcript.ts';
import {
  bind,
  execute,
  functionCall,
  message,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';
import { RESET_ITEMS } from './simple.ts';

const RESET_OBJECTS = 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata';
const OBJECT = '424242';
/** INV_READ | INV_WRITE of libpq's large object interface. */
const READ_WRITE = String(0x20000 | 0x40000);
/** A simple Query whose bytes are not UTF-8. */
const bytesQuery = (latin: string): Buffer => message('Q', Buffer.from(`${latin}\0`, 'latin1'));

export const SESSION_SCRIPTS: readonly Script[] = [
  {
    name: 'cursors in a transaction, forwards and backwards',
    reset: RESET_ITEMS,
    steps: [
      step(query('DECLARE c CURSOR FOR SELECT 1')),
      step(query('BEGIN'), query('DECLARE c SCROLL CURSOR FOR SELECT generate_series(1, 9)')),
      step(query('FETCH 3 FROM c'), query('MOVE 2 IN c'), query('FETCH BACKWARD 2 FROM c')),
      step(query('FETCH ABSOLUTE 9 FROM c'), query('FETCH c'), query('FETCH LAST FROM c')),
      step(unnamed('FETCH RELATIVE -3 FROM c'), sync(), bind('p', ''), execute('p', 1), sync()),
      step(query('DECLARE i CURSOR FOR SELECT * FROM item FOR UPDATE'), query('FETCH i')),
      step(query(`UPDATE item SET body = 'here' WHERE CURRENT OF i RETURNING id, body`)),
      step(query('CLOSE c'), query('FETCH c'), query('ROLLBACK'), query('FETCH i')),
    ],
  },
  {
    name: 'a cursor WITH HOLD outlives its transaction',
    isPinned: true,
    steps: [
      step(query('BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT generate_series(1, 4); COMMIT')),
      step(query('FETCH 2 FROM h'), query('BEGIN'), query('SELECT 1/0'), query('ROLLBACK')),
      step(query('FETCH ALL FROM h'), query('CLOSE h'), query('FETCH h')),
    ],
  },
  {
    name: 'large objects by SQL',
    reset: RESET_OBJECTS,
    steps: [
      step(query('BEGIN'), query(`SELECT lo_create(${OBJECT}), lo_open(${OBJECT}, ${READ_WRITE})`)),
      step(query(`SELECT lowrite(0, 'hello, world'), lo_lseek(0, 7, 0)`)),
      step(
        query('SELECT loread(0, 5), lo_tell(0), lo_truncate(0, 5), lo_close(0)'),
        query('COMMIT'),
      ),
      step(query(`SELECT lo_get(${OBJECT})`), query('SELECT loread(0, 5)')),
      step(query(`SELECT lo_put(${OBJECT}, 1, 'a'), lo_get(${OBJECT}, 0, 3)`)),
      step(query(`SELECT lo_unlink(${OBJECT})`), query(`SELECT lo_get(${OBJECT})`)),
    ],
  },
  {
    name: 'large objects by function calls, as of libpq',
    reset: RESET_OBJECTS,
    steps: [
      step(query('BEGIN'), functionCall(715, [OBJECT]), functionCall(952, [OBJECT, READ_WRITE])),
      step(functionCall(955, ['0', 'some bytes']), functionCall(956, ['0', '0', '0'])),
      step(functionCall(954, ['0', '4']), functionCall(958, ['0']), functionCall(953, ['0'])),
      step(query('COMMIT'), functionCall(954, ['0', '4']), functionCall(964, [OBJECT])),
      step(functionCall(964, [OBJECT]), query('SELECT 1')),
    ],
  },
  {
    name: 'modes of transactions, of one and of all',
    reset: RESET_ITEMS,
    steps: [
      step(query('BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE')),
      step(query('SHOW transaction_isolation'), query('DELETE FROM item'), query('ROLLBACK')),
      step(query('SET TRANSACTION READ ONLY'), query('SHOW transaction_read_only')),
      step(query('SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ')),
      step(query('BEGIN'), query('SHOW transaction_isolation'), query('COMMIT')),
      step(query('SET default_transaction_read_only = on'), query('DELETE FROM item')),
      step(query('BEGIN READ WRITE'), query('DELETE FROM item WHERE id = 2'), query('COMMIT')),
      step(query('RESET default_transaction_read_only'), query('DELETE FROM item WHERE id = 1')),
      step(query('RESET ALL'), query('SHOW transaction_isolation')),
    ],
  },
  {
    name: 'savepoints, and settings that go back with them',
    reset: RESET_ITEMS,
    steps: [
      step(query("BEGIN; SET work_mem = '5MB'"), query('SAVEPOINT a'), query('DELETE FROM item')),
      step(query("SET work_mem = '6MB'"), query('SAVEPOINT b'), query('SELECT 1/0')),
      step(query('ROLLBACK TO b'), query('SHOW work_mem'), query('ROLLBACK TO a')),
      step(query('SHOW work_mem'), query('RELEASE a'), query('ROLLBACK TO a')),
      step(query('ROLLBACK'), query('SHOW work_mem'), query('SELECT count(*) FROM item')),
      step(query("BEGIN; SET LOCAL work_mem = '7MB'"), query('COMMIT'), query('SHOW work_mem')),
    ],
  },
  {
    name: 'encodings of the client, also those whose characters hold quotes',
    isPinned: true,
    steps: [
      step(query("SET client_encoding = 'LATIN1'"), bytesQuery("SELECT 'caf\xe9', length('\xe9')")),
      step(query('SELECT chr(8364) AS "untranslatable"'), query('SHOW client_encoding')),
      step(query("SET NAMES 'SJIS'"), bytesQuery("SELECT '\x83\x5c', length('\x83\x5c')")),
      step(bytesQuery("SELECT '\x83'"), query("SET NAMES 'UTF8'")),
      step(bytesQuery("SELECT '\xe9'"), query("SELECT 'é', length('é')")),
      step(query("SET client_encoding = 'nowhere'"), query('RESET client_encoding')),
      step(unnamed("SET NAMES 'LATIN9'"), sync(), unnamed('SHOW client_encoding'), sync()),
    ],
  },
  {
    name: 'roles of the session',
    isPinned: true,
    steps: [
      step(query('SET ROLE pg_monitor'), query('SELECT current_user = session_user')),
      step(query('CREATE TABLE of_nobody (n int)'), query('RESET ROLE')),
      step(query('SET SESSION AUTHORIZATION pg_monitor'), query('SELECT session_user')),
      step(query('RESET SESSION AUTHORIZATION'), query('SELECT current_user = session_user')),
      step(query('SET ROLE nobody_of_that_name'), query("SET LOCAL ROLE 'pg_monitor'")),
    ],
  },
  {
    name: 'advisory locks of session and transaction',
    isPinned: true,
    steps: [
      step(query('SELECT pg_advisory_lock(901)'), query('SELECT pg_try_advisory_lock(901)')),
      step(query('SELECT pg_advisory_unlock(901)'), query('SELECT pg_advisory_unlock(901)')),
      step(query('SELECT pg_advisory_unlock(901)')),
      step(query('BEGIN; SELECT pg_advisory_xact_lock(902)'), query('COMMIT')),
      step(unnamed('SELECT pg_advisory_lock_shared($1, 2)', ['9']), sync()),
      step(
        query('SELECT pg_advisory_unlock_all()'),
        query('SELECT pg_advisory_unlock_shared(9, 2)'),
      ),
    ],
  },
  {
    name: 'setseed and LOAD',
    isPinned: true,
    steps: [
      step(query('SELECT setseed(0.25)'), query('SELECT random(), random()')),
      step(query('SELECT setseed(2)'), query('SELECT random()')),
      step(query("LOAD 'plpgsql'"), query("LOAD 'nothing-of-that-name'")),
    ],
  },
  {
    name: 'sequences in a transaction',
    reset: 'DROP SEQUENCE IF EXISTS counter; CREATE SEQUENCE counter',
    steps: [
      step(query('BEGIN'), query("SELECT nextval('counter'), currval('counter'), lastval()")),
      step(query("SELECT setval('counter', 40)"), query('SELECT lastval()'), query('COMMIT')),
      step(
        query("BEGIN; SELECT nextval('counter'); ROLLBACK"),
        query('SELECT last_value + 0, is_called::text FROM counter'),
      ),
      step(unnamed("SELECT nextval('counter')"), unnamed('SELECT 1'), sync()),
    ],
  },
  {
    name: 'limits of time that the client sets',
    steps: [
      step(query("SET statement_timeout = '60ms'"), query('SELECT pg_sleep(20)')),
      step(unnamed('SELECT pg_sleep(20)'), sync(), query('BEGIN'), query('SELECT pg_sleep(20)')),
      step(query('ROLLBACK'), query('RESET statement_timeout'), query('SELECT pg_sleep(0.08)')),
    ],
  },
  {
    name: 'commands that want no transaction around them',
    steps: [
      step(query('VACUUM item'), query('BEGIN'), query('VACUUM item'), query('ROLLBACK')),
      step(query('VACUUM item; SELECT 1'), unnamed('VACUUM item'), sync()),
      step(parse('v', 'ANALYZE item'), bind('', 'v'), execute(), unnamed('SELECT 1'), sync()),
      step(query('CHECKPOINT; SELECT 2'), query('CREATE DATABASE item; SELECT 3')),
    ],
  },
];
