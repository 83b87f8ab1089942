/** Portals, cursors, large objects, transactions inside texts, and what is empty, in every mixture. */
import { partStep, readyStep, type Script, step } from '../../support/transcript.ts';
import {
  bind,
  closeMessage,
  copyData,
  copyDone,
  copyFail,
  describeMessage,
  execute,
  flush,
  functionCall,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';
import { RESET_ITEMS } from './simple.ts';

const SERIES = 'SELECT i FROM generate_series(1, $1::int) AS i';
const IN = 'COPY item FROM STDIN';
const COUNT = query('SELECT count(*), sum(id) FROM item');

/** Numbers of PostgreSQL's own functions. */
const LO_CREATE = 715;
const LO_OPEN = 952;
const LO_CLOSE = 953;
const LO_READ = 954;
const LO_WRITE = 955;
const LO_SEEK = 956;
const LO_TELL = 958;
const LO_UNLINK = 964;
const READ_AND_WRITE = '393216';

export const SURFACE_SCRIPTS: readonly Script[] = [
  {
    name: 'several portals with limits, interleaved and across Syncs',
    steps: [
      step(parse('s', SERIES), query('BEGIN')),
      step(bind('p', 's', ['5']), bind('q', 's', ['4']), execute('p', 2), execute('q', 1), sync()),
      step(execute('q', 2), execute('p', 2), describeMessage('P', 'p'), sync()),
      step(closeMessage('S', 's'), sync()),
      step(execute('p', 9), execute('p', 9), execute('q', 1), execute('q', 1), sync()),
      step(closeMessage('P', 'p'), execute('p'), sync()),
      step(execute('q'), sync(), query('COMMIT')),
    ],
  },
  {
    name: 'a portal that outlives a savepoint, and one that does not',
    steps: [
      step(query('BEGIN'), parse('s', SERIES), bind('outer', 's', ['3']), execute('outer', 1)),
      step(sync(), query('SAVEPOINT a'), bind('inner', 's', ['3']), execute('inner', 1), sync()),
      step(query('ROLLBACK TO a'), execute('outer', 1), sync()),
      step(execute('inner', 1), sync()),
      step(query('ROLLBACK'), bind('', 's', ['1']), execute(), sync()),
    ],
  },
  {
    name: 'portals and cursors are one',
    steps: [
      step(query('BEGIN'), parse('', 'SELECT 1 UNION SELECT 2 ORDER BY 1'), bind('c', ''), sync()),
      step(query('FETCH 1 FROM c'), execute('c'), sync()),
      step(query('DECLARE d CURSOR FOR VALUES (1), (2), (3)'), execute('d', 1), sync()),
      step(query('MOVE d'), query('FETCH d'), describeMessage('P', 'd'), sync()),
      step(query('CLOSE c'), execute('c'), sync()),
      step(query('ROLLBACK'), query('FETCH d')),
    ],
  },
  {
    name: 'cursors that scroll, and their errors',
    steps: [
      step(query('BEGIN; DECLARE c SCROLL CURSOR FOR SELECT generate_series(1, 9) AS n')),
      step(query('FETCH LAST FROM c'), query('FETCH PRIOR FROM c'), query('FETCH ABSOLUTE 3 c')),
      step(query('MOVE BACKWARD ALL IN c'), query('FETCH FORWARD 2 FROM c'), query('FETCH 0 c')),
      step(unnamed('FETCH RELATIVE 2 FROM c'), sync(), unnamed('MOVE 3 IN c'), sync()),
      step(query('DECLARE c CURSOR FOR SELECT 1')),
      step(query('COMMIT'), query('DECLARE c CURSOR FOR SELECT 1'), query('CLOSE c')),
    ],
  },
  {
    name: 'cursors WITH HOLD, made in a transaction and rolled back',
    isPinned: true,
    steps: [
      step(query('BEGIN; DECLARE h CURSOR WITH HOLD FOR VALUES (1), (2), (3)'), query('FETCH h')),
      step(query('COMMIT'), query('FETCH h')),
      step(execute('h', 1), sync(), query('CLOSE ALL'), query('FETCH h')),
      step(query('BEGIN; DECLARE g CURSOR WITH HOLD FOR SELECT 1; ROLLBACK'), query('FETCH g')),
    ],
  },
  {
    name: 'large objects by function calls',
    steps: [
      step(query('BEGIN'), functionCall(LO_CREATE, ['4242'])),
      step(functionCall(LO_OPEN, ['4242', READ_AND_WRITE])),
      step(functionCall(LO_WRITE, ['0', 'some bytes']), functionCall(LO_SEEK, ['0', '5', '0'])),
      step(functionCall(LO_TELL, ['0']), functionCall(LO_READ, ['0', '99'])),
      step(functionCall(LO_CLOSE, ['0']), functionCall(LO_CLOSE, ['0'])),
      step(query('ROLLBACK'), functionCall(LO_OPEN, ['4242', READ_AND_WRITE])),
      step(query("SELECT lo_from_bytea(4242, 'bytes')"), query('SELECT lo_get(4242)')),
      step(functionCall(LO_UNLINK, ['4242']), functionCall(LO_UNLINK, ['4242'])),
    ],
  },
  {
    name: 'transactions that are opened and closed inside texts',
    reset: RESET_ITEMS,
    steps: [
      step(query("BEGIN; INSERT INTO item VALUES (10, 'x')"), COUNT),
      step(query("COMMIT; INSERT INTO item VALUES (11, 'y'); BEGIN"), query('ROLLBACK'), COUNT),
      step(query("INSERT INTO item VALUES (12, 'z'); ROLLBACK; SELECT 1"), COUNT),
      step(query("INSERT INTO item VALUES (13, 'z'); BEGIN; SELECT 1/0; COMMIT"), COUNT),
      step(query('ROLLBACK'), COUNT),
      step(query("BEGIN; INSERT INTO item VALUES (14, 'z'); COMMIT; SELECT 1/0"), COUNT),
      step(query('SAVEPOINT a'), query('SAVEPOINT a; SELECT 1'), query('SELECT 1; SAVEPOINT a')),
      step(query('BEGIN; SAVEPOINT a; SELECT 1/0'), query('ROLLBACK TO a; COMMIT AND CHAIN')),
      step(query('SELECT 1'), query('COMMIT AND NO CHAIN'), query('COMMIT')),
      step(query('BEGIN; BEGIN; SET TRANSACTION READ ONLY; DELETE FROM item; COMMIT')),
      step(query('COMMIT'), COUNT),
    ],
  },
  {
    name: 'what is empty, simple and extended',
    reset: RESET_ITEMS,
    steps: [
      step(query(''), query(' '), query('/* nothing */'), query('-- nothing'), query(';;;')),
      step(unnamed(''), sync(), unnamed('-- nothing'), sync(), unnamed(';'), sync()),
      step(parse('e', '/* nothing */'), describeMessage('S', 'e'), sync()),
      step(bind('', 'e'), describeMessage('P', ''), execute(), execute(), sync()),
      step(unnamed('SELECT 1; SELECT 2'), sync(), unnamed('SELECT 1;'), sync()),
      step(unnamed('SELECT 1; -- behind'), sync()),
      step(query('BEGIN'), query('SELECT 1/0'), query(''), unnamed(''), sync(), query('ROLLBACK')),
      step(query('SELECT'), unnamed('SELECT'), sync(), unnamed('SELECT FROM item'), sync()),
    ],
  },
  {
    name: 'COPY in under a name, with limits, and with units behind it',
    reset: RESET_ITEMS,
    steps: [
      step(parse('in', IN), describeMessage('S', 'in'), sync()),
      partStep(2, bind('', 'in'), execute(), flush()),
      readyStep(1, copyData('20\tx\n'), copyDone(), sync()),
      partStep(2, bind('p', 'in'), execute('p', 1), flush()),
      readyStep(1, copyData('21\tx\n'), copyFail('not now'), sync()),
      step(COUNT, bind('', 'in'), sync()),
      partStep(2, bind('', 'in'), execute(), flush()),
      readyStep(2, copyData('bad\n'), copyDone(), sync(), COUNT),
    ],
  },
  {
    name: 'COPY out under a name, with limits',
    reset: RESET_ITEMS,
    steps: [
      step(parse('out', 'COPY (SELECT 1 UNION SELECT 2 ORDER BY 1) TO STDOUT'), sync()),
      step(describeMessage('S', 'out'), bind('', 'out'), describeMessage('P', ''), sync()),
      step(bind('', 'out'), execute('', 1), execute(), sync()),
      step(bind('', 'out'), execute(), bind('', 'out'), execute(), sync()),
      step(query('BEGIN'), bind('', 'out'), execute(), sync(), query('COPY none TO STDOUT')),
      step(bind('', 'out'), sync(), query('ROLLBACK')),
    ],
  },
  {
    name: 'roles, characteristics and settings that a rollback takes back',
    isPinned: true,
    steps: [
      step(
        query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'),
        query('CREATE TABLE z ()'),
      ),
      step(query('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE')),
      step(query('BEGIN; SET ROLE pg_monitor'), query('SELECT current_user'), query('ROLLBACK')),
      step(
        query('SELECT current_user'),
        query('SET ROLE pg_monitor'),
        query('SELECT current_user'),
      ),
      step(query('RESET ROLE'), query('SET SESSION AUTHORIZATION pg_monitor')),
      step(query('SELECT session_user, current_user'), query('RESET SESSION AUTHORIZATION')),
      step(query("BEGIN; SET DateStyle = 'SQL'; SAVEPOINT a; SET DateStyle = 'German'")),
      step(query('ROLLBACK TO a'), query('SHOW DateStyle'), query('ROLLBACK')),
      step(query('SHOW DateStyle'), query('LOAD $$nothing$$'), query('SELECT setseed(0.5)')),
      step(query('SELECT random()'), query('SELECT setseed(2)')),
    ],
  },
  {
    name: 'an encoding in which a byte of a character is a backslash',
    isPinned: true,
    steps: [
      step(query("SET client_encoding = 'SJIS'")),
      step(
        query('SELECT $$\x83\x5c$$ AS a'),
        unnamed("SELECT '\x83\x5c' || $1", ['\x83\x5c']),
        sync(),
      ),
      step(query("SELECT '\x83\x5c'; SELECT 'b'")),
      step(parse('s', "SELECT '\x83\x5c'::text"), sync()),
      step(bind('', 's'), execute(), sync(), query("SET client_encoding = 'UTF8'")),
      step(bind('', 's'), execute(), sync()),
    ],
  },
];
